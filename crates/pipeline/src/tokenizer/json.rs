//! Reading the file with its place in mind, so that a refusal names the field.

use serde_json::Value;

use super::{Map, TokenizerError};

pub(super) struct Json<'a> {
    value: &'a Value,
    field: String,
}

impl<'a> Json<'a> {
    pub fn root(value: &'a Value) -> Self {
        Json {
            value,
            field: String::new(),
        }
    }

    pub fn refuse(&self, reason: impl Into<String>) -> TokenizerError {
        TokenizerError {
            field: if self.field.is_empty() {
                "file".into()
            } else {
                self.field.clone()
            },
            reason: crate::error::cut(reason.into()),
        }
    }

    fn child(&self, key: &str, value: &'a Value) -> Json<'a> {
        let dot = if self.field.is_empty() { "" } else { "." };
        Json {
            value,
            field: format!("{}{dot}{key}", self.field),
        }
    }

    /// A key that must be there.
    pub fn get(&self, key: &str) -> Result<Json<'a>, TokenizerError> {
        match self.value.get(key) {
            Some(value) => Ok(self.child(key, value)),
            None => Err(self.refuse(format!("`{key}` is missing"))),
        }
    }

    /// `None` where the key is absent or null.
    pub fn find(&self, key: &str) -> Option<Json<'a>> {
        self.value
            .get(key)
            .filter(|value| !value.is_null())
            .map(|value| self.child(key, value))
    }

    pub fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Json<'a>) -> Result<T, TokenizerError>,
    ) -> Result<Option<T>, TokenizerError> {
        self.find(key).map(|json| read(&json)).transpose()
    }

    /// The key `type`, by which every part says what it is.
    pub fn kind(&self) -> Result<&'a str, TokenizerError> {
        self.get("type")?.text()
    }

    pub fn text(&self) -> Result<&'a str, TokenizerError> {
        self.value
            .as_str()
            .ok_or_else(|| self.refuse("a text is expected"))
    }

    pub fn truth(&self) -> Result<bool, TokenizerError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.refuse("true or false is expected"))
    }

    pub fn id(&self) -> Result<u32, TokenizerError> {
        self.value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.refuse("a number from 0 to 2^32 - 1 is expected"))
    }

    pub fn truth_or(&self, key: &str, default: bool) -> Result<bool, TokenizerError> {
        Ok(self.optional(key, Json::truth)?.unwrap_or(default))
    }

    pub fn text_of(&self, key: &str) -> Result<Option<String>, TokenizerError> {
        self.optional(key, |json| json.text().map(str::to_owned))
    }

    pub fn list(&self) -> Result<Vec<Json<'a>>, TokenizerError> {
        let list = self
            .value
            .as_array()
            .ok_or_else(|| self.refuse("a list is expected"))?;
        let entries = list.iter().enumerate();
        Ok(entries
            .map(|(index, value)| self.child(&index.to_string(), value))
            .collect())
    }

    /// A vocabulary: tokens and their ids.
    pub fn vocabulary(&self) -> Result<Map<String, u32>, TokenizerError> {
        let map = self
            .value
            .as_object()
            .ok_or_else(|| self.refuse("a map is expected"))?;
        map.iter()
            .map(|(token, id)| {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                match id {
                    Some(id) => Ok((token.clone(), id)),
                    None => Err(self.refuse(format!("`{token}` has no id"))),
                }
            })
            .collect()
    }

    pub fn unknown(&self, kind: &str) -> TokenizerError {
        self.refuse(format!("the type `{kind}` is not supported"))
    }

    /// Either `["a", "b"]` or `"a b"`.
    pub fn merge(&self) -> Result<(&'a str, &'a str), TokenizerError> {
        let pair = match self.value {
            Value::String(text) => text.split_once(' '),
            Value::Array(list) => match list.as_slice() {
                [Value::String(left), Value::String(right)] => {
                    Some((left.as_str(), right.as_str()))
                }
                _ => None,
            },
            _ => None,
        };
        pair.ok_or_else(|| self.refuse("two tokens are expected"))
    }

    pub fn pair(&self) -> Result<(&'a str, u32), TokenizerError> {
        match self.list()?.as_slice() {
            [token, id] => Ok((token.text()?, id.id()?)),
            _ => Err(self.refuse("a token and its id are expected")),
        }
    }
}
