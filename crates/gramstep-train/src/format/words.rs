//! Values that are one of a few words, a number or a word, or a text with parts: how they are written and read.

/// Serialisation as the number or the text that a user would write.
macro_rules! text_or_number {
    ($type:ty) => {
        impl TryFrom<TextOrNumber> for $type {
            type Error = Error;
            fn try_from(value: TextOrNumber) -> Result<Self> {
                value.to_string().parse()
            }
        }
        impl From<$type> for TextOrNumber {
            fn from(value: $type) -> Self {
                let text = value.to_string();
                match (text.parse(), text.parse()) {
                    (Ok(integer), _) => Self::Integer(integer),
                    (_, Ok(number)) => Self::Number(number),
                    _ => Self::Text(text),
                }
            }
        }
    };
}

/// Serialisation as the text that a user would write.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

/// A setting that is one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident as $name:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }
        impl $type {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),* })
            }
        }
        impl FromStr for $type {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Error::Setting {
                        name: $name,
                        value: text.to_owned(),
                        range: concat!("one of", $(" ", $word),*).to_owned(),
                    }),
                }
            }
        }
    };
}

pub(crate) use {as_text, text_or_number, words};
