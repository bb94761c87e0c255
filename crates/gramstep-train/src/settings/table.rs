//! What follows from the table of settings: the structs, and the list of what is known of every setting.

/// Makes [`Config`](super::Config), [`Settings`](super::Settings) and [`SETTINGS`](super::SETTINGS) of one table. An
/// entry is
///
/// ```text
/// /// What it says; also the help of its option.
/// field: TYPE where RANGE => always(RESOLVED) {
///     group: GROUP, value: "NAME", example: "..", kernel: BOOL, FIELD_OF_SETTING: .., ..
/// }
/// ```
///
/// TYPE is `Option<T>` or `Vec<String>`. A range belongs to every number. RESOLVED is the type in [`Settings`]:
/// `always(T)`, or `maybe(T)` for an `Option<T>` that is left out of the file where it has no meaning. After `kernel`
/// comes whatever differs from [`Setting::PLAIN`](super::Setting::PLAIN).
macro_rules! settings {
    (
        $(#[$config_meta:meta])*
        pub struct Config;

        $(#[$settings_meta:meta])*
        pub struct Settings;

        $(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty $(where $range:ident)?
                => $(maybe($open:ty))? $(always($(#[$attribute:meta])* $settled:ty))?
            {
                group: $group:expr, value: $value:expr, example: $example:expr, kernel: $kernel:expr
                $(, $key:ident: $more:expr)* $(,)?
            }
        )+
    ) => {
        $(#[$config_meta])*
        pub struct Config {
            /// Version of the file's format.
            pub format_version: u32,
            $(
                $(#[doc = $doc])+
                pub $field: $type,
            )+
        }

        $(#[$settings_meta])*
        pub struct Settings {
            /// Version of the file's format.
            pub format_version: u32,
            $(
                $(#[doc = $doc])+
                $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$open>,)?
                $($(#[$attribute])* pub $field: $settled,)?
            )+
        }

        impl Default for Config {
            fn default() -> Self {
                Self { format_version: FORMAT_VERSION, $($field: Default::default(),)+ }
            }
        }

        impl Config {
            /// Takes every setting that `over` gives and keeps the others.
            #[must_use]
            pub fn overridden_by(self, over: Self) -> Self {
                Self { format_version: self.format_version, $($field: Field::or(over.$field, self.$field),)+ }
            }
        }

        /// Every setting, in the order of the file.
        pub static SETTINGS: &[Setting] = &[$({
            const FIELD: &str = stringify!($field);
            const DASHED: [u8; FIELD.len()] = dashed(FIELD);
            const NAME: &str = match std::str::from_utf8(&DASHED) {
                Ok(name) => name,
                Err(_) => FIELD,
            };
            const RANGE: &str = [$($range.text,)? ""][0];
            Setting {
                name: NAME,
                doc: concat!($($doc),+),
                group: $group,
                value: $value,
                example: $example,
                kernel: $kernel,
                list: <$type as Field>::LIST,
                given: |config| config.$field.is_given(),
                set: |config, text| {
                    config.$field = Field::read(NAME, text, RANGE)?;
                    Ok(())
                },
                $(check: |config| $range.check(NAME, config.$field.as_ref()),)?
                $($key: $more,)*
                ..Setting::PLAIN
            }
        }),+];
    };
}

pub(crate) use settings;
