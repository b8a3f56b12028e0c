//! What a connection URL or keyword string says about pools. Credentials are never kept.

/// Where a parameter list stands in a connection string, and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `scheme` of a URL, such as `postgresql+asyncpg`; empty for a keyword string.
    pub scheme: String,
    /// Port, where one is given.
    pub port: Option<u16>,
    /// Host, database and user's suffix are not kept: only a fingerprint of where it leads, for "the same database".
    pub pairs: Vec<(String, String)>,
}

/// Schemes of database URLs. A `+driver` may follow, and `jdbc:` precede.
const SCHEMES: [&str; 14] = [
    "postgres",
    "postgresql",
    "cockroachdb",
    "mysql",
    "mariadb",
    "ecto",
    "postgis",
    "asyncpg",
    "psycopg",
    "psycopg2",
    "r2dbc",
    "redshift",
    "pgsql",
    "timescaledb",
];

/// Reads a connection string; nothing if it is none.
#[must_use]
pub fn parameters(text: &str) -> Option<Parameters> {
    let text = text.trim();
    let text = text.strip_prefix("jdbc:").unwrap_or(text);
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let family = scheme.split(['+', ':']).next().unwrap_or(scheme).to_ascii_lowercase();
            if !SCHEMES.contains(&family.as_str()) {
                return None;
            }
            let rest = rest.split('#').next().unwrap_or(rest);
            let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
            let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
            let host = place.rsplit('@').next().unwrap_or(place).split('/').next().unwrap_or_default();
            let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            Some(Parameters { scheme: scheme.to_ascii_lowercase(), port, pairs: pairs.collect() })
        }
        None => extended(text).map_or_else(
            || keywords(text),
            |(_, _, query)| {
                let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                Some(Parameters { scheme: String::new(), port: None, pairs })
            },
        ),
    }
}

/// `$(NAME)?a=1&b=2`, or with `&`: a URL that is not seen, extended. The name, what joins the two, and the extension.
fn extended(text: &str) -> Option<(&str, char, &str)> {
    let end = text.starts_with("$(").then(|| text.find(')'))??;
    let (name, rest) = text.split_at(end + 1);
    let joint = rest.chars().next().filter(|c| ['?', '&'].contains(c))?;
    Some((name, joint, &rest[1..]))
}

/// `host=db port=5432 …`, or `Host=db;Maximum Pool Size=3`.
fn keywords(text: &str) -> Option<Parameters> {
    let separator = if text.contains(';') { ';' } else { ' ' };
    let mut pairs = Vec::new();
    for pair in text.split(separator).filter(|p| !p.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let ends = value.trim();
        if ['\'', '"'].iter().any(|quote| ends.starts_with(*quote) && (ends.len() < 2 || !ends.ends_with(*quote))) {
            return None; // a separator within quotes
        }
        pairs.push((name.trim().to_owned(), value.trim().trim_matches('\'').to_owned()));
    }
    let named = |wanted: &str| pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    named("host").or_else(|| named("server")).or_else(|| named("dbname"))?;
    let port = named("port").and_then(|(_, port)| port.parse().ok());
    Some(Parameters { scheme: String::new(), port, pairs })
}

impl Parameters {
    /// The value of a parameter; of a repeated one the first or the last.
    #[must_use]
    pub fn get(&self, name: &str, last: bool) -> Option<&str> {
        let mut found =
            self.pairs.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        if last { found.next_back() } else { found.next() }
    }
}

/// A connection string with a parameter set: in the place of one that is there, else at the end. The value is written as
/// it stands, and so is everything else.
#[must_use]
pub fn with_parameter(text: &str, name: &str, value: &str) -> String {
    if let Some((unseen, joint, query)) = extended(text) {
        return format!("{unseen}{joint}{}", with_pair(query, name, value));
    }
    let Some((before, rest)) = text.split_once("://") else { return with_keyword(text, name, value) };
    let (rest, fragment) = rest.find('#').map_or((rest, ""), |at| rest.split_at(at));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    format!("{before}://{place}?{}{fragment}", with_pair(query, name, value))
}

fn with_pair(query: &str, name: &str, value: &str) -> String {
    let is_it = |pair: &str| form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(found, _)| found == name);
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    let at = pairs.iter().position(|pair| is_it(pair));
    let escaped: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let pair = format!("{escaped}={value}");
    pairs.retain(|pair| !is_it(pair));
    pairs.insert(at.unwrap_or(pairs.len()), &pair);
    pairs.join("&")
}

/// The same for `host=db port=5432 …` and `Host=db;Maximum Pool Size=3`.
fn with_keyword(text: &str, name: &str, value: &str) -> String {
    let separator = if text.contains(';') { ';' } else { ' ' };
    let is_it = |pair: &str| pair.split_once('=').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name));
    let mut pairs: Vec<&str> = text.split(separator).filter(|pair| !pair.trim().is_empty()).collect();
    let at = pairs.iter().position(|pair| is_it(pair));
    let pair = format!("{name}={value}");
    pairs.retain(|pair| !is_it(pair));
    pairs.insert(at.unwrap_or(pairs.len()), &pair);
    pairs.join(&separator.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parameters(text).unwrap().pairs
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn urls_of_every_dress() {
        let expected = [pair("pool_size", "1"), pair("max overflow", "0")];
        assert_eq!(pairs("postgresql+asyncpg://u:p@h:5432/d?pool_size=1&max%20overflow=0#x"), expected);
        assert_eq!(pairs("jdbc:postgresql://h/d?ApplicationName=a"), [pair("ApplicationName", "a")]);
        assert_eq!(pairs("Host=h;Maximum Pool Size=3")[1], pair("Maximum Pool Size", "3"));
        assert_eq!(pairs("host=h dbname=d user='u'")[2], pair("user", "u"));
        assert_eq!(parameters("postgres://u:p%3A@h:6543/d").unwrap().port, Some(6543));
        assert!(parameters("https://example.test/?a=b").is_none());
        assert!(parameters("just some words").is_none());
        assert!(parameters("a=b").is_none());
        assert!(parameters("host=h password='x  y=z'").is_none());
        assert!(parameters("Host=h;Password=\"x;;y=z\"").is_none());
    }

    #[test]
    fn broken_encoding_is_left_alone() {
        assert_eq!(pairs("postgres://h/d?a=%zz&b=%2&%=1"), [pair("a", "%zz"), pair("b", "%2"), pair("%", "1")]);
    }

    #[test]
    fn the_first_or_the_last_of_a_repeated_one() {
        let url = parameters("postgres://h/d?pool=1&pool=2").unwrap();
        assert_eq!((url.get("pool", false), url.get("pool", true)), (Some("1"), Some("2")));
    }

    #[test]
    fn a_parameter_is_set_and_everything_else_stays() {
        let set = |text: &str| with_parameter(text, "pool_max_conns", "$(N)");
        assert_eq!(set("postgres://u:p%3A@h/d"), "postgres://u:p%3A@h/d?pool_max_conns=$(N)");
        assert_eq!(set("postgres://h/d?a=%zz#top"), "postgres://h/d?a=%zz&pool_max_conns=$(N)#top");
        assert_eq!(set("postgres://h/d?pool_max_conns=9&a=b"), "postgres://h/d?pool_max_conns=$(N)&a=b");
        assert_eq!(set("postgres://h/d?pool%5Fmax_conns=9&pool_max_conns=8"), "postgres://h/d?pool_max_conns=$(N)");
        assert_eq!(set("jdbc:postgresql://h/d?"), "jdbc:postgresql://h/d?pool_max_conns=$(N)");
        assert_eq!(set("$(DATABASE_URL)?sslmode=require"), "$(DATABASE_URL)?sslmode=require&pool_max_conns=$(N)");
        assert_eq!(set("$(DATABASE_URL)&pool_max_conns=9"), "$(DATABASE_URL)&pool_max_conns=$(N)");
        assert_eq!(set("host=h dbname=d"), "host=h dbname=d pool_max_conns=$(N)");
        let net = |text: &str| with_parameter(text, "Maximum Pool Size", "3");
        assert_eq!(net("Host=h;maximum pool size=100;Username=u;"), "Host=h;Maximum Pool Size=3;Username=u");
        assert_eq!(net("Host=h;Username=u"), "Host=h;Username=u;Maximum Pool Size=3");
    }
}
