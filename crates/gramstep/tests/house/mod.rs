//! Reads the source of a crate for what uses what: the tests of imports of every crate share it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Place of a module in the crate: `["kernel", "infinite"]`. The crate's root is `[]`.
type Place = Vec<String>;

/// One file of the source.
struct File {
    path: PathBuf,
    /// What its `use` lines bring in, by the name that the file then knows it by.
    uses: Vec<Use>,
    /// Every other `a::b::c` of the code.
    paths: Vec<Place>,
    /// Every word of the code outside of `use` lines.
    words: BTreeSet<String>,
}

struct Use {
    name: String,
    path: Place,
    /// Whether the name is handed on: `pub use`.
    public: bool,
}

/// The Rust files of a folder and the folders in it.
#[allow(dead_code)] // not all of the tests that share this file ask
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The files of the crate by the module that each is.
pub(crate) struct Crate(BTreeMap<Place, File>);

impl Crate {
    /// Reads the source of a crate.
    pub(crate) fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(source, &Vec::new(), &mut files);
        assert!(files.len() > 1, "no source in {}", source.display());
        Self(files)
    }

    /// Every use of a module that does not rank below the one that uses it; modules of the root are ranked.
    pub(crate) fn against(&self, ranks: &[(&str, u8)]) -> Vec<String> {
        let rank = |module: &str| ranks.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank);
        let mut faults = Vec::new();
        for (place, file) in &self.0 {
            let Some(module) = place.first() else { continue };
            let own = rank(module).unwrap_or_else(|| panic!("module `{module}` has no rank in this test"));
            for used in self.used(place) {
                let against = used.first().filter(|used| *used != module && rank(used).is_some_and(|rank| rank >= own));
                if against.is_some() {
                    faults.push(format!("{} uses {}", file.path.display(), used.join("::")));
                }
            }
        }
        faults
    }

    /// Panics with a circle of files, if there is one.
    pub(crate) fn check_circles(&self) {
        if let Some(circle) = self.circle() {
            let files: Vec<_> = circle.iter().map(|module| self.0[module].path.display().to_string()).collect();
            panic!("a circle of files:\n{}", files.join("\nuses "));
        }
    }

    /// Whether a file uses another one, both named as `kernel::laplace`.
    #[allow(dead_code)] // only one of the tests that share this file asks
    pub(crate) fn uses(&self, from: &str, to: &str) -> bool {
        let place = |path: &str| path.split("::").map(str::to_owned).collect::<Place>();
        self.used(&place(from)).contains(&place(to))
    }

    /// The module whose file defines what a path names, seen from `from`; `None` outside of the crate.
    fn home(&self, from: &Place, path: &[String], depth: usize) -> Option<Place> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Place::new(),
            "self" => from.clone(),
            "super" => parent(from)?,
            _ => {
                rest = path;
                from.clone()
            }
        };
        let mut entered = rest.len() < path.len();
        while let Some((segment, further)) = rest.split_first() {
            let next = if segment == "super" { parent(&at)? } else { [at.clone(), vec![segment.clone()]].concat() };
            if !self.0.contains_key(&next) {
                break;
            }
            (at, rest, entered) = (next, further, true);
        }
        let Some(name) = rest.first() else { return Some(at) };
        let handed_on = self.0[&at].uses.iter().find(|import| import.name == *name && depth < 8);
        let known = handed_on.map(|import| self.home(&at, &import.path, depth + 1));
        known.unwrap_or_else(|| entered.then_some(at))
    }

    /// The modules that a file uses. What it only hands on, as the face of a folder does, is no use.
    fn used(&self, module: &Place) -> BTreeSet<Place> {
        let file = &self.0[module];
        let imports = file.uses.iter().filter(|import| !import.public || file.words.contains(&import.name));
        let paths = imports.map(|import| &import.path).chain(&file.paths);
        paths.filter_map(|path| self.home(module, path, 0)).filter(|home| home != module).collect()
    }

    /// A way from a module back to itself.
    fn circle(&self) -> Option<Vec<Place>> {
        let mut done = BTreeSet::new();
        self.0.keys().find_map(|start| self.descend(start, &mut Vec::new(), &mut done))
    }

    fn descend(&self, module: &Place, way: &mut Vec<Place>, done: &mut BTreeSet<Place>) -> Option<Vec<Place>> {
        if let Some(start) = way.iter().position(|passed| passed == module) {
            return Some([&way[start..], std::slice::from_ref(module)].concat());
        }
        if !done.insert(module.clone()) {
            return None;
        }
        way.push(module.clone());
        let found = self.used(module).iter().find_map(|next| self.descend(next, way, done));
        way.pop();
        found
    }
}

fn parent(module: &Place) -> Option<Place> {
    module.split_last().map(|(_, above)| above.to_vec())
}

fn collect(folder: &Path, place: &Place, files: &mut BTreeMap<Place, File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let own = [place.clone(), vec![name.clone()]].concat();
        if path.is_dir() {
            collect(&path, &own, files);
        } else {
            let module = if name == "lib" || name == "mod" { place.clone() } else { own };
            files.insert(module, parse(path));
        }
    }
}

/// The code of a file without comments, texts and tests.
fn code(path: &Path) -> String {
    let source = std::fs::read_to_string(path).unwrap();
    let source = source.split("#[cfg(test)]").next().unwrap_or("");
    let lines = source.lines().map(|line| line.split("//").next().unwrap_or(""));
    let pieces = lines.flat_map(|line| line.split('"').step_by(2).chain(["\n"]));
    pieces.collect()
}

/// Words, `::`, and every other character that is not white space.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if open && word => last.push(c),
            Some(last) if c == ':' && last == ":" && !open => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        open = word;
    }
    tokens
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn parse(path: PathBuf) -> File {
    let tokens = tokens(&code(&path));
    let mut file = File { path, uses: Vec::new(), paths: Vec::new(), words: BTreeSet::new() };
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| is_word(next)) {
            let end = at + tokens[at..].iter().position(|token| token == ";").unwrap_or(0);
            let public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
            tree(&tokens[at + 1..end], &Place::new(), public, &mut file.uses);
            at = end;
        } else if tokens[at] == "mod" {
            at += 1;
        } else if is_word(&tokens[at]) {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|next| next == "::") && is_word(&tokens[at + 2]) {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            file.words.extend(path.iter().cloned());
            if path.len() > 1 {
                file.paths.push(path);
            }
        }
        at += 1;
    }
    file
}

/// The names of `a::{b, c::d as e}`, each with its whole path.
fn tree(tokens: &[String], before: &Place, public: bool, uses: &mut Vec<Use>) {
    let mut path = before.clone();
    let mut rest = tokens;
    while let Some((token, further)) = rest.split_first() {
        match token.as_str() {
            "{" => {
                let mut depth = 0;
                let branches = further[..further.len() - 1].split(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    token == "," && depth == 0
                });
                return branches.for_each(|branch| tree(branch, &path, public, uses));
            }
            "as" => {
                let name = further.first().cloned().unwrap_or_default();
                return uses.push(Use { name, path, public });
            }
            "::" | "*" => {}
            word => path.push(word.to_owned()),
        }
        rest = further;
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = path.last().filter(|_| path.len() > before.len() || !before.is_empty()) {
        uses.push(Use { name: name.clone(), path, public });
    }
}
