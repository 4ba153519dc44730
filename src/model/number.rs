//! Numbers as clients write them.

use serde_json::Value;

/// A whole number from 0 on. Clients of Cloudflare's have floats where whole numbers are meant, and write `30.0`.
pub fn whole(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64()?.to_string().parse().ok())
}

/// A whole number, perhaps below 0.
pub fn whole_signed(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64()?.to_string().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        for (value, number) in [
            (json!(30), Some(30)),
            (json!(30.0), Some(30)),
            (json!(30.5), None),
            (json!(-1.0), None),
            (json!(1e300), None),
            (json!("30"), None),
            (json!(null), None),
            (json!(true), None),
        ] {
            assert_eq!(whole(&value), number, "{value}");
        }
        assert_eq!(whole_signed(&json!(-1.0)), Some(-1));
        assert_eq!(whole_signed(&json!(-1)), Some(-1));
        assert_eq!(whole_signed(&json!(0.5)), None);
    }
}
