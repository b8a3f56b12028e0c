use super::*;

fn settings(address: Address) -> Settings {
    Settings { name: "dbbudget".into(), address }
}

#[test]
fn each_namespace_is_asked_about_as_its_budgets_say() {
    let settings = settings(Address::Service { namespace: "dbbudget".into(), name: "webhook".into() });
    let namespaces = [("a", FailurePolicy::Ignore), ("b", FailurePolicy::Fail), ("c", FailurePolicy::Ignore)];
    let namespaces: Namespaces = namespaces.map(|(name, policy)| (name.to_owned(), policy)).into();
    let all = configuration(&settings, "PEM", &namespaces).unwrap();
    let seen = all["webhooks"].as_array().unwrap().iter().map(|webhook| {
        let values = webhook["namespaceSelector"]["matchExpressions"][0]["values"].to_string();
        (webhook["name"].as_str().unwrap(), webhook["failurePolicy"].as_str().unwrap(), values)
    });
    let seen: Vec<_> = seen.collect();
    let expected = [
        ("pods-ignore.dbbudget.dev", "Ignore", "[\"a\",\"c\"]".to_owned()),
        ("jobs-ignore.dbbudget.dev", "Ignore", "[\"a\",\"c\"]".to_owned()),
        ("pods-fail.dbbudget.dev", "Fail", "[\"b\"]".to_owned()),
        ("jobs-fail.dbbudget.dev", "Fail", "[\"b\"]".to_owned()),
    ];
    assert_eq!(seen, expected);
    assert!(configuration(&settings, "PEM", &Namespaces::new()).is_none());
}

#[test]
fn a_url_has_the_path_of_what_is_asked() {
    let settings = settings(Address::Url("https://127.0.0.1:9443/".into()));
    let all = configuration(&settings, "PEM", &[("a".to_owned(), FailurePolicy::Ignore)].into()).unwrap();
    assert_eq!(all["webhooks"][0]["clientConfig"]["url"], "https://127.0.0.1:9443/pods");
    assert_eq!(all["webhooks"][1]["clientConfig"]["url"], "https://127.0.0.1:9443/jobs");
}
