// hyper and reqwest under the bench's command line: MODE URL CONCURRENCY TOTAL, one JSON line.
//   hyper          hyper-util's pooling client, tokio's multi-threaded runtime (one worker on one CPU)
//   hyper-current  the same on tokio's single-threaded runtime
//   hyper-h2c, hyper-h2c-current  both over HTTP/2 in clear, with prior knowledge
//   reqwest        one reqwest client
//   reqwest-fresh  a new reqwest client for each request
// With CA, CERT and KEY (files) set, reqwest uses OpenSSL with them. BODY, WARM, TARGETS (hyper only) and HOLD as in measure.h.
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{connect::HttpConnector, Client};
use hyper_util::rt::TokioExecutor;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;

#[derive(Clone)]
enum Peer {
    Hyper(Client<HttpConnector, Full<Bytes>>, Vec<hyper::Uri>),
    Reqwest(reqwest::Client),
    ReqwestFresh(Arc<Material>),
}

// The TLS files' contents, read once; a fresh client parses them again.
struct Material {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

struct Settings {
    peer: Peer,
    url: String,
    concurrency: usize,
    body: Bytes,
}

fn number(name: &str) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn file(name: &str) -> Option<Vec<u8>> {
    std::env::var(name).ok().filter(|path| !path.is_empty()).map(|path| std::fs::read(path).unwrap())
}

impl Material {
    fn from_environment() -> Material {
        Material { ca: file("CA"), identity: file("CERT").zip(file("KEY")) }
    }
    fn client(&self) -> reqwest::Client {
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(ca) = &self.ca {
            builder = builder.tls_certs_only([reqwest::Certificate::from_pem(ca).unwrap()]);
        }
        if let Some((certificate, key)) = &self.identity {
            builder = builder.identity(reqwest::Identity::from_pkcs8_pem(certificate, key).unwrap());
        }
        builder.build().unwrap()
    }
}

fn target_uris(url: &str) -> Vec<hyper::Uri> {
    match number("TARGETS") {
        0 => vec![url.parse().unwrap()],
        targets => (0..targets)
            .map(|i| url.replacen("127.0.0.1", &format!("127.1.{}.{}", i / 250, 1 + i % 250), 1).parse().unwrap())
            .collect(),
    }
}

fn make_peer(mode: &str, url: &str) -> Peer {
    let material = Material::from_environment();
    match mode {
        "hyper" | "hyper-current" | "hyper-h2c" | "hyper-h2c-current" => {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            let h2c = mode.starts_with("hyper-h2c");
            Peer::Hyper(Client::builder(TokioExecutor::new()).http2_only(h2c).build(connector), target_uris(url))
        }
        "reqwest" => Peer::Reqwest(material.client()),
        "reqwest-fresh" => Peer::ReqwestFresh(Arc::new(material)),
        _ => {
            eprintln!("modes: hyper hyper-current hyper-h2c hyper-h2c-current reqwest reqwest-fresh");
            std::process::exit(2)
        }
    }
}

async fn exchange_hyper(client: &Client<HttpConnector, Full<Bytes>>, uri: &hyper::Uri, body: &Bytes) -> bool {
    let method = if body.is_empty() { hyper::Method::GET } else { hyper::Method::POST };
    let request = hyper::Request::builder().method(method).uri(uri.clone()).body(Full::new(body.clone())).unwrap();
    match client.request(request).await {
        Ok(response) => {
            let good = response.status() == 200;
            response.into_body().collect().await.is_ok() && good
        }
        Err(_) => false,
    }
}

async fn exchange_reqwest(client: &reqwest::Client, url: &str, body: &Bytes) -> bool {
    let request = if body.is_empty() { client.get(url) } else { client.post(url).body(body.clone()) };
    match request.send().await {
        Ok(response) => {
            let good = response.status() == 200;
            response.bytes().await.is_ok() && good
        }
        Err(_) => false,
    }
}

async fn exchange(settings: &Settings, request: usize) -> bool {
    match &settings.peer {
        Peer::Hyper(client, uris) => exchange_hyper(client, &uris[request % uris.len()], &settings.body).await,
        Peer::Reqwest(client) => exchange_reqwest(client, &settings.url, &settings.body).await,
        Peer::ReqwestFresh(material) => exchange_reqwest(&material.client(), &settings.url, &settings.body).await,
    }
}

async fn run(settings: &Arc<Settings>, total: usize) -> (Vec<f64>, usize) {
    let (next, errors) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut callers = vec![];
    for _ in 0..settings.concurrency {
        let (settings, next, errors) = (settings.clone(), next.clone(), errors.clone());
        callers.push(tokio::spawn(async move {
            let mut microseconds = vec![];
            loop {
                let request = next.fetch_add(1, Relaxed);
                if request >= total {
                    break;
                }
                let start = Instant::now();
                if !exchange(&settings, request).await {
                    errors.fetch_add(1, Relaxed);
                }
                microseconds.push(start.elapsed().as_secs_f64() * 1e6);
            }
            microseconds
        }));
    }
    let mut all = vec![];
    for caller in callers {
        all.extend(caller.await.unwrap());
    }
    (all, errors.load(Relaxed))
}

fn cpu() -> (f64, f64, i64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss)
}

async fn measure(settings: Arc<Settings>, total: usize) {
    let (user_begun, system_begun, _) = cpu();
    let begin = Instant::now();
    if number("WARM") > 0 {
        run(&settings, number("WARM")).await;
    }
    let (user, system, _) = cpu();
    let start = Instant::now();
    let (mut microseconds, errors) = run(&settings, total).await;
    let wall = start.elapsed().as_secs_f64();
    let (user_after, system_after, rss) = cpu();
    microseconds.sort_by(f64::total_cmp);
    let quantile = |q: f64| microseconds[(q * (total - 1) as f64) as usize];
    println!(
        "{{\"wall\":{:.6},\"ut\":{:.6},\"st\":{:.6},\"err\":{},\"n\":{},\"p50\":{:.1},\"p99\":{:.1},\"rss_kb\":{},\"cold_wall\":{:.6},\"cold_cpu\":{:.6}}}",
        wall, user_after - user, system_after - system, errors, total, quantile(0.5), quantile(0.99), rss,
        (start - begin).as_secs_f64(), user + system - user_begun - system_begun
    );
    if std::env::var("HOLD").is_ok() {
        // Not on this thread: a single-threaded runtime must go on watching its sockets.
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await.unwrap().ok();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 5 {
        eprintln!("usage: {} MODE URL CONCURRENCY TOTAL", arguments[0]);
        std::process::exit(2)
    }
    let (mode, url) = (arguments[1].as_str(), arguments[2].clone());
    let mut builder = match mode {
        "hyper-current" | "hyper-h2c-current" => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().unwrap().block_on(async {
        let settings = Arc::new(Settings {
            peer: make_peer(mode, &url),
            url,
            concurrency: arguments[3].parse().unwrap(),
            body: Bytes::from(vec![b'x'; number("BODY")]),
        });
        measure(settings, arguments[4].parse().unwrap()).await;
    });
}
