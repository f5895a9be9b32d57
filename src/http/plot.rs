//! The lag of one node over the last day as a small picture. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::age;

/// The picture's height in its own units; its width is the number of samples.
const HEIGHT: u32 = 40;

/// A lag of less is drawn low, however small all of them are: slon itself needs some seconds.
const LEAST_TOP: u32 = 60;

/// SVG with a title that says the same in words; where nothing is known a line of text.
pub(super) fn plot(samples: &[Option<u32>]) -> String {
    let Some(most) = samples.iter().flatten().max() else {
        return "<span class=\"none\">nothing known</span>".into();
    };
    let words = format!("at most {} over the last day", age(Duration::from_secs((*most).into())));
    format!(
        "<svg viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{words}\">\
         <title>{words}</title><path d=\"{}\"/></svg>",
        samples.len(),
        path(samples, (*most).max(LEAST_TOP))
    )
}

/// Lines from sample to sample; where nothing is known the pen is lifted. A point on a level line is left out.
fn path(samples: &[Option<u32>], top: u32) -> String {
    let mut path = String::new();
    let mut before = None;
    for (at, sample) in samples.iter().enumerate() {
        let next = samples.get(at + 1).copied().flatten();
        if let Some(seconds) = sample {
            let y = height(*seconds, top);
            let is_level = before == Some(y) && next.map(|next| height(next, top)) == Some(y);
            if !is_level {
                // Writing into a string does not fail. A sample that stands alone is a short line.
                let _ = match before {
                    Some(_) => write!(path, "L{at} {y}"),
                    None => write!(path, "M{at} {y}h1"),
                };
            }
        }
        before = sample.map(|seconds| height(seconds, top));
    }
    path
}

/// From the top of the picture; one unit stays free at both edges.
fn height(seconds: u32, top: u32) -> u32 {
    let (seconds, top) = (u64::from(seconds), u64::from(top.max(1)));
    let up = seconds * u64::from(HEIGHT - 2) / top;
    HEIGHT - 1 - u32::try_from(up).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_lines_have_two_ends_and_gaps_stay_open() {
        let samples = [Some(0), Some(0), Some(0), Some(120), None, Some(60)];
        assert_eq!(path(&samples, 120), "M0 39h1L2 39L3 1M5 20h1");
        assert!(plot(&samples).contains("<title>at most 2 min over the last day</title>"));
        assert!(plot(&[None, None]).contains("nothing known"));
    }

    #[test]
    fn what_is_small_is_drawn_low() {
        assert_eq!(height(5, LEAST_TOP), 36);
        assert_eq!((height(0, 1), height(u32::MAX, u32::MAX)), (39, 1));
    }
}
