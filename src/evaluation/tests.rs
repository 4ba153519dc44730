use std::time::Duration;

use super::*;

/// The most that the whole process asks at once, in a test that wants more.
const MANY: usize = 300;

fn evaluator(address: std::net::SocketAddr) -> ExternalEvaluator {
    ExternalEvaluator {
        evaluate_url: format!("http://{address}/evaluate"),
        keys_url: format!("http://{address}/keys"),
    }
}

fn question() -> Question {
    Question {
        token: "a.b.c".to_owned(),
        nonce: "n".to_owned(),
    }
}

#[tokio::test]
async fn a_service_that_hangs_keeps_no_other_from_being_asked() {
    let hangs = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (hanging, closed) = (
        evaluator(hangs.local_addr().unwrap()),
        evaluator(gone.local_addr().unwrap()),
    );
    drop(gone);
    let outbound = Outbound::with_opened(vec!["127.0.0.0/8".parse().unwrap()]).unwrap();
    let evaluations = Evaluations::new(outbound, Clock::system());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..MANY {
        let (evaluations, hanging) = (evaluations.clone(), hanging.clone());
        asking.spawn(async move { evaluations.ask(&hanging, &question()).await });
    }
    // Whoever finds no place is told so at once.
    let first = asking.join_next().await.unwrap().unwrap();
    assert!(matches!(first, Err(NotEvaluated::Busy)), "{first:?}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let other = evaluations.ask(&closed, &question()).await;
    assert!(matches!(other, Err(NotEvaluated::NoAnswer { .. })), "{other:?}");
}
