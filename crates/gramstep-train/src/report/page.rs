//! One self-contained HTML page: headings, text, tables, charts. Everything that is not a chart is escaped.

use std::fmt::Write;

use base64::Engine;

use super::chart::Chart;
use super::escape::escape;
use super::palette::dashes;
use crate::error::Result;

/// The style sheet. Charts stand two in a row where there is room, tables scroll on a narrow screen.
const STYLE: &str = "
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#fff;color:#1d2027;font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 56px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25em;letter-spacing:-.01em}
h2{font-size:1.2rem;line-height:1.3;margin:2.2em 0 .6em;padding-top:.9em;border-top:1px solid #d9dde4}
p{margin:.5em 0;max-width:72ch}
p.note{color:#525865;font-size:.93rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:26px 32px}
figure{margin:0;min-width:0;max-width:640px}
figure svg[role]{display:block;width:100%;height:auto}
figcaption b{display:block;font-size:1rem}
figcaption span{display:block;color:#525865;font-size:.9rem}
.legend{display:flex!important;flex-wrap:wrap;gap:2px 18px;margin:.15em 0}
.legend>span{display:inline-flex;align-items:center;gap:7px;color:#1d2027}
.legend svg{width:36px;height:12px;flex:none}
figure.pictures{display:flex;flex-wrap:wrap;gap:8px 18px}
figure.pictures figcaption{flex-basis:100%}
figure.pictures div{width:136px}
figure.pictures img{display:block;width:136px;height:auto;image-rendering:pixelated;border:1px solid #d9dde4}
figure.pictures span{color:#525865;font-size:.85rem;line-height:1.3;display:block;margin-top:.25em}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums;margin:.5em 0}
th,td{padding:.32em 1.1em .32em 0;text-align:right;white-space:nowrap;vertical-align:top}
th:first-child,td:first-child{text-align:left}
thead th{border-bottom:1.5px solid #1d2027;font-weight:600}
tbody td{border-bottom:1px solid #e6e9ee}
pre{background:#f5f6f8;padding:.8em 1em;border-radius:6px;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
svg polyline{stroke-linejoin:round}
@media(max-width:480px){main{padding:18px 14px 40px}h1{font-size:1.4rem}body{font-size:15px}}
@media print{main{max-width:none;padding:0}body{font-size:10.5pt}figure,table,pre{break-inside:avoid}h2{break-after:avoid}pre{white-space:pre-wrap}.charts{grid-template-columns:1fr 1fr}}
";

/// A picture of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The bytes of a PNG file.
    pub png: Vec<u8>,
    /// What it shows.
    pub words: String,
}

/// A page under construction.
///
/// ```
/// use gramstep_train::report::Page;
/// let mut page = Page::new("A & B");
/// page.heading("Results").paragraph("Fine.").table(&["what", "value"], &[vec!["loss".into(), "0.1".into()]]);
/// assert!(page.finish().contains("<h1>A &amp; B</h1>"));
/// ```
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page with a title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: format!("<h1>{}</h1>\n", escape(title)) }
    }

    fn element(&mut self, open: &str, text: &str, close: &str) -> &mut Self {
        let _ = writeln!(self.body, "<{open}>{}</{close}>", escape(text));
        self
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) -> &mut Self {
        self.element("h2", text, "h2")
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        self.element("p", text, "p")
    }

    /// A paragraph of less weight.
    pub fn note(&mut self, text: &str) -> &mut Self {
        self.element("p class=\"note\"", text, "p")
    }

    /// Text as it stands, in a fixed-width font.
    pub fn code(&mut self, text: &str) -> &mut Self {
        self.element("pre", text, "pre")
    }

    /// The same under a line that opens it.
    pub fn folded(&mut self, line: &str, text: &str) -> &mut Self {
        let _ = write!(self.body, "<details><summary>{}</summary>", escape(line));
        self.code(text);
        self.body.push_str("</details>\n");
        self
    }

    /// A table: the first column to the left, the others, numbers, to the right.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> &mut Self {
        self.body.push_str("<div class=\"scroll\"><table>");
        if !header.is_empty() {
            self.body.push_str("<thead>");
            self.row("th", header.iter().copied());
            self.body.push_str("</thead>");
        }
        self.body.push_str("<tbody>");
        for row in rows {
            self.row("td", row.iter().map(String::as_str));
        }
        self.body.push_str("</tbody></table></div>\n");
        self
    }

    fn row<'a>(&mut self, tag: &str, cells: impl Iterator<Item = &'a str>) {
        self.body.push_str("<tr>");
        for cell in cells {
            let _ = write!(self.body, "<{tag}>{}</{tag}>", escape(cell));
        }
        self.body.push_str("</tr>");
    }

    /// Charts side by side where there is room; empty ones are left out.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart).
    pub fn charts(&mut self, charts: &[Chart]) -> Result<&mut Self> {
        self.body.push_str("<div class=\"charts\">\n");
        for chart in charts.iter().filter(|chart| !chart.is_empty()) {
            self.body.push_str(&chart.to_html()?);
        }
        self.body.push_str("</div>\n");
        Ok(self)
    }

    /// Pictures in rows, each row with a caption; every picture is a PNG with words below it.
    pub fn pictures(&mut self, rows: &[(String, Vec<Picture>)]) -> &mut Self {
        self.body.push_str("<div class=\"charts\">\n");
        for (caption, pictures) in rows {
            self.body.push_str("<figure class=\"pictures\">");
            let _ = write!(self.body, "<figcaption><b>{}</b></figcaption>", escape(caption));
            for Picture { png, words } in pictures {
                let data = base64::engine::general_purpose::STANDARD.encode(png);
                let words = escape(words);
                let _ = write!(
                    self.body,
                    "<div><img alt=\"{words}\" src=\"data:image/png;base64,{data}\"><span>{words}</span></div>"
                );
            }
            self.body.push_str("</figure>\n");
        }
        self.body.push_str("</div>\n");
        self
    }

    /// The whole file.
    #[must_use]
    pub fn finish(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>{}</title>\n<style>{STYLE}{}</style>\n</head>\n<body><main>\n{}</main></body>\n</html>\n",
            escape(&self.title),
            dashes(),
            self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_written_becomes_markup() {
        let mut page = Page::new("<script>");
        page.heading("<h>").paragraph("a<b").note("\"").code("<&>").table(&["<"], &[vec!["<td".to_owned()]]);
        let html = page.finish();
        assert!(!html.contains("<script") && !html.contains("http") && !html.contains("a<b"));
        assert!(html.contains("<pre>&lt;&amp;&gt;</pre>") && html.contains("<td>&lt;td</td>"));
    }
}
