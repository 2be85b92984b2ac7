//! Holds requests and answers to GitHub's `OpenAPI` description, more strictly than GitHub: unknown fields are refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::standin::{Request, github_api};

/// The description as JSON Schema understands it; none where it is not at hand.
fn description() -> Option<&'static Value> {
    static DESCRIPTION: OnceLock<Option<Value>> = OnceLock::new();
    let load = || {
        let text = std::fs::read_to_string(github_api()?.join("openapi-subset.json")).expect("it can be read");
        let mut description = serde_json::from_str(&text).expect("it is JSON");
        add_missing(&mut description);
        translate(&mut description);
        Some(description)
    };
    DESCRIPTION.get_or_init(load).as_ref()
}

/// `OpenAPI` 3.0 says `nullable` where JSON Schema has a type `null`.
fn translate(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(translate),
        Value::Object(map) => {
            map.values_mut().for_each(translate);
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
                let inner = std::mem::take(map);
                map.insert("anyOf".to_owned(), json!([{ "type": "null" }, inner]));
            }
        }
        _ => {}
    }
}

/// Two operations the subset leaves out, as GitHub publishes them (`@octokit/openapi` 23.0.2, MIT), without descriptions.
fn add_missing(description: &mut Value) {
    let parameters = |number: &str| {
        json!([{ "$ref": "#/components/parameters/owner" }, { "$ref": "#/components/parameters/repo" },
            { "$ref": format!("#/components/parameters/{number}") }])
    };
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    let body = |schema: Value| json!({ "content": { "application/json": { "schema": schema } } });
    let named =
        json!({ "type": "object", "required": ["id", "node_id", "url", "name", "description", "color", "default"] });
    let mut labels = strings.clone();
    labels["minItems"] = json!(1);
    description["paths"]["/repos/{owner}/{repo}/issues/{issue_number}/labels"] = json!({ "post": {
        "parameters": parameters("issue-number"),
        "requestBody": body(json!({ "type": "object", "properties": { "labels": labels } })),
        "responses": { "200": body(json!({ "type": "array", "items": named })) },
    } });
    description["paths"]["/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers"] = json!({ "post": {
        "parameters": parameters("pull-number"),
        "requestBody": body(json!({ "type": "object", "properties": { "reviewers": strings, "team_reviewers": strings } })),
        "responses": { "201": body(json!({ "$ref": "#/components/schemas/pull-request-simple" })) },
    } });
}

/// The smallest instance of a schema that the description names; nothing where it is not at hand.
pub(crate) fn smallest(name: &str) -> Value {
    match description() {
        Some(description) => instance(description, &description["components"]["schemas"][name]),
        None => json!({}),
    }
}

fn instance(description: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return instance(description, description.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(alternatives) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return instance(description, &alternatives[0]);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| instance(description, part));
        let fields = parts.filter_map(|part| Some(part.as_object()?.clone())).flatten();
        return Value::Object(fields.collect());
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => json!("2026-11-26T00:00:00Z"),
        (Some("string"), Some("uri")) => json!("https://api.github.com/"),
        (Some("string"), _) => json!("x"),
        (Some("integer" | "number"), _) => json!(1),
        (Some("boolean"), _) => json!(false),
        (Some("array"), _) => json!([]),
        (Some("null"), _) => Value::Null,
        _ => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let field = |key: &str| (key.to_owned(), instance(description, &schema["properties"][key]));
            Value::Object(required.map(field).collect())
        }
    }
}

/// The operation of a request, with the parameters of its path. The name of a branch may hold slashes.
fn operation(description: &'static Value, request: &Request) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), request.path.split('/').collect());
        (template.len() == path.len() || template.last() == Some(&"{ref}") && template.len() < path.len())
            && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
    };
    let paths = description["paths"].as_object()?;
    let mut found = paths.iter().filter(|(template, _)| fits(template)).map(|(_, item)| item);
    found.find_map(|item| item.get(request.method.to_ascii_lowercase()))
}

/// What is wrong with a request, if anything.
pub(crate) fn check_request(request: &Request) -> Result<(), String> {
    let Some(description) = description() else { return Ok(()) };
    let what = format!("{} {}?{}", request.method, request.path, request.query);
    let operation = operation(description, request).ok_or(format!("{what}: no such operation"))?;
    for (key, value) in pairs(&request.query) {
        check_parameter(description, operation, &key, &value).map_err(|error| format!("{what}: {error}"))?;
    }
    match operation.pointer("/requestBody/content/application~1json/schema") {
        Some(schema) => {
            let mut schema = schema.clone();
            close(&mut schema);
            validate(description, &schema, &request.body).map_err(|error| format!("{what}: {error}"))
        }
        None if request.body.is_null() => Ok(()),
        None => Err(format!("{what}: a body where there is none")),
    }
}

fn check_parameter(description: &Value, operation: &Value, key: &str, value: &str) -> Result<(), String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut resolved = parameters.map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => description.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => parameter,
    });
    let known = resolved.find(|parameter| parameter["in"] == "query" && parameter["name"] == key);
    let schema = &known.ok_or(format!("no query parameter {key}"))?["schema"];
    let typed = if schema["type"] == "integer" {
        json!(value.parse::<i64>().map_err(|_| format!("{key} is no number"))?)
    } else {
        json!(value)
    };
    validate(description, schema, &typed)
}

/// What is wrong with an answer of the stand-in itself.
pub(crate) fn check_answer(request: &Request, status: u16, body: &Value) -> Result<(), String> {
    let Some(description) = description() else { return Ok(()) };
    let Some(operation) = operation(description, request) else { return Ok(()) };
    match operation["responses"][status.to_string()].pointer("/content/application~1json/schema") {
        Some(schema) => validate(description, schema, body).map_err(|error| format!("answer {status}: {error}")),
        None => Ok(()),
    }
}

/// Refuses fields the description does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(map) => {
            map.values_mut().for_each(close);
            let open = map.get("properties").is_some_and(Value::is_object) && map.get("type") == Some(&json!("object"));
            if open && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        _ => {}
    }
}

fn validate(description: &Value, schema: &Value, instance: &Value) -> Result<(), String> {
    let validator = validator(description, schema);
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// A validator is made once: it takes longer than everything else of a request.
fn validator(description: &Value, schema: &Value) -> Arc<Validator> {
    static MADE: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let build = || {
        let mut root = Map::new();
        root.insert("components".to_owned(), description["components"].clone());
        root.insert("allOf".to_owned(), json!([schema]));
        let options = jsonschema::draft4::options().should_validate_formats(true);
        Arc::new(options.build(&Value::Object(root)).expect("the description is a schema"))
    };
    Arc::clone(made.entry(schema.to_string()).or_insert_with(build))
}

/// The decoded pairs of a query.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let url = Url::parse(&format!("http://localhost/?{query}")).expect("a query makes a URL");
    url.query_pairs().into_owned().collect()
}

#[test]
fn a_request_against_the_description_is_noticed() {
    if description().is_none() {
        return;
    }
    let request = |method: &str, query: &str, body: Value| {
        let path = match method {
            "POST" => "/repos/o/r/check-runs",
            "PATCH" => "/repos/o/r/check-runs/7",
            _ => "/repos/o/r/commits/c/check-runs",
        };
        check_request(&Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body,
        })
    };
    assert_eq!(request("POST", "", json!({ "name": "n", "head_sha": "c" })), Ok(()));
    let annotation =
        json!({ "path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m" });
    let many = vec![annotation; 51];
    for body in [
        json!({ "name": "n" }),
        json!({ "name": "n", "head_sha": "c", "nmae": "n" }),
        json!({ "name": "n", "head_sha": "c", "status": "done" }),
        json!({ "name": "n", "head_sha": "c", "started_at": "yesterday" }),
        json!({ "name": "n", "head_sha": "c", "output": { "title": "t" } }),
        json!({ "name": "n", "head_sha": "c", "output": { "title": "t", "summary": "x".repeat(65_536) } }),
        json!({ "name": "n", "head_sha": "c", "output": { "title": "t", "summary": "s", "annotations": many } }),
    ] {
        assert!(request("POST", "", body.clone()).is_err(), "{body}");
    }
    assert!(request("PATCH", "", json!({ "status": "completed" })).is_err(), "no conclusion");
    assert_eq!(request("GET", "filter=latest&per_page=100", Value::Null), Ok(()));
    assert!(request("GET", "filter=newest", Value::Null).is_err());
    assert!(request("GET", "colour=red", Value::Null).is_err());
    assert!(request("DELETE", "", Value::Null).is_err());
}
