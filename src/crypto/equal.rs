//! Comparison of secrets in constant time.

/// Whether two secrets are equal. Takes the same time wherever they differ; the length is no secret.
pub fn constant_time(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}
