use super::*;

#[tokio::test]
async fn a_missing_socket_asks_whether_the_collector_runs() {
    let error = Collector::connect(Path::new("/nonexistent/collector.sock")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no collector answers: is weir-collector running? Looked at /nonexistent/collector.sock (there is no such \
         socket)"
    );
}

#[tokio::test]
async fn a_socket_that_nobody_serves_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = Collector::connect(&path).await.unwrap_err();
    assert!(error.to_string().contains("nobody listens there"), "{error}");
}

#[tokio::test]
async fn a_connection_closed_at_once_is_told_from_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        for _ in 0..3 {
            drop(listener.accept().await);
        }
    });
    let error = match Collector::connect(&path).await {
        Ok(collector) => collector.status().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().contains("closed the connection"), "{error:?}");
    server.abort();
}
