//! Colours, dashes and markers that tell series apart on a screen, in print, and for colour-blind people.
//!
//! The colours are those of Okabe and Ito (2008) that have contrast on white. Every colour has a dash of its own, set
//! by the page's style sheet, so that lines differ without colour too.

/// A look: colour, dash pattern of lines (none is a whole line).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) colour: (u8, u8, u8),
    pub(super) dash: &'static str,
}

/// One look a series, in order.
const LOOKS: [Look; 6] = [
    Look { colour: (0, 114, 178), dash: "" },
    Look { colour: (213, 94, 0), dash: "14 7" },
    Look { colour: (0, 140, 105), dash: "4 6" },
    Look { colour: (180, 80, 140), dash: "18 6 4 6" },
    Look { colour: (120, 94, 20), dash: "26 8" },
    Look { colour: (60, 60, 60), dash: "8 4 4 4 4 4" },
];

/// The look of the series of that number; more series than looks start again.
pub(super) fn look(series: usize) -> Look {
    LOOKS[series % LOOKS.len()]
}

impl Look {
    /// As SVG writes it.
    pub(super) fn hex(self) -> String {
        hex(self.colour)
    }
}

/// A colour as SVG writes it.
pub(super) fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Style rules that give the lines of every colour their dash.
pub(super) fn dashes() -> String {
    let rule = |look: &Look| format!("polyline[stroke=\"{}\"]{{stroke-dasharray:{}}}", look.hex(), look.dash);
    LOOKS.iter().filter(|look| !look.dash.is_empty()).map(rule).collect()
}

/// The colour of a share of 1: from light to dark, monotone in lightness.
pub(super) fn shade(share: f64) -> (u8, u8, u8) {
    const STOPS: [[f64; 3]; 4] =
        [[247.0, 251.0, 255.0], [158.0, 202.0, 225.0], [33.0, 113.0, 181.0], [8.0, 29.0, 88.0]];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    #[allow(clippy::cast_sign_loss)] // at least 0
    let low = (place as usize).min(STOPS.len() - 2);
    let part = place - low as f64;
    #[allow(clippy::cast_sign_loss)] // between two colours
    let mix = |c: usize| (STOPS[low][c] + part * (STOPS[low + 1][c] - STOPS[low][c])).round() as u8;
    (mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_has_its_own_colour_dash_and_enough_contrast_on_white() {
        let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
        for (i, a) in LOOKS.iter().enumerate() {
            let (r, g, b) = a.colour;
            let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
            assert!(1.05 / (luminance + 0.05) > 3.0, "{}", a.hex());
            assert!(LOOKS[..i].iter().all(|b| a.colour != b.colour && a.dash != b.dash));
        }
    }

    #[test]
    fn shades_get_darker() {
        let light = |share| {
            let (r, g, b) = shade(share);
            u32::from(r) + u32::from(g) + u32::from(b)
        };
        assert!((0..20).all(|i| light(f64::from(i) / 20.0) > light(f64::from(i + 1) / 20.0)));
    }
}
