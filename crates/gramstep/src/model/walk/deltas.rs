//! The memory of the deltas of a backward walk. A delta is needed from the node that writes it first to the node whose
//! output it belongs to; then its memory serves another, so that all of them stay in cache.

use std::ops::Range;

use crate::device::{TileMut, WriteMode, carve};
use crate::model::network::Network;
use crate::scalar::Scalar;

/// Which piece of memory each home slot's delta has while it is needed.
pub(super) struct Places {
    of: Vec<Option<usize>>,
    /// Numbers of each piece for one row.
    lengths: Vec<usize>,
}

impl Places {
    /// Pieces for all deltas but the input's and those with memory of their `own`.
    pub(super) fn new<T: Scalar>(network: &Network<T>, own: impl Fn(usize) -> bool) -> Self {
        let Network { nodes, slots, homes, .. } = network;
        // The node that writes a home first is the last one that reads it; the output's is there before all nodes.
        let mut first = vec![None; slots.len()];
        for (at, node) in nodes.iter().enumerate() {
            for &slot in &node.inputs {
                first[homes[slot]] = Some(at);
            }
        }
        first[homes[slots.len() - 1]] = Some(nodes.len());
        let mut places = Self { of: vec![None; slots.len()], lengths: Vec::new() };
        let (mut free, mut done) = (Vec::new(), Vec::new());
        for at in (0..=nodes.len()).rev() {
            // Nodes from one weight to the next go strip by strip: what one strip is done with another still needs.
            if nodes.get(at).is_some_and(|node| node.stage.has_weight()) {
                free.append(&mut done);
            }
            for home in (1..slots.len()).filter(|&home| first[home] == Some(at) && !own(home)) {
                places.of[home] = Some(places.assign(slots[home], &mut free));
            }
            if let Some(Some(place)) = places.of.get(at + 1) {
                done.push(*place);
            }
        }
        places
    }

    /// The smallest free piece that is long enough, else the longest one, made longer, or a new one.
    fn assign(&mut self, length: usize, free: &mut Vec<usize>) -> usize {
        let missing = |place: usize| (length.saturating_sub(self.lengths[place]), self.lengths[place]);
        let Some(chosen) = (0..free.len()).min_by_key(|&at| missing(free[at])) else {
            self.lengths.push(length);
            return self.lengths.len() - 1;
        };
        let place = free.swap_remove(chosen);
        self.lengths[place] = self.lengths[place].max(length);
        place
    }

    /// Numbers of all pieces for one row.
    pub(super) fn length(&self) -> usize {
        self.lengths.iter().sum()
    }
}

/// Deltas by home slot, and whether something was written there.
pub(super) struct Deltas<'d, T> {
    homes: &'d [usize],
    slots: &'d [usize],
    places: &'d Places,
    rows: usize,
    /// The rows that work is for.
    strip: Range<usize>,
    written: Vec<bool>,
    /// Memory of home slots with their own, then of places.
    cells: Vec<Option<TileMut<'d, T>>>,
}

impl<'d, T: Scalar> Deltas<'d, T> {
    /// Deltas of `rows` rows, in the memory of slots that have their `own` and in pieces cut from `memory`.
    pub(super) fn new<'m: 'd>(
        network: &'d Network<T>,
        places: &'d Places,
        rows: usize,
        own: impl Iterator<Item = Option<TileMut<'d, T>>>,
        memory: &mut &'m mut [T],
    ) -> Self {
        let pieces = places.lengths.iter().map(|&length| Some(carve(memory, rows, length)));
        let cells = own.chain(pieces).collect();
        let Network { homes, slots, .. } = network;
        Self { homes, slots, places, rows, strip: 0..rows, written: vec![false; homes.len()], cells }
    }

    fn cell(&self, home: usize) -> usize {
        self.places.of[home].map_or(home, |place| self.homes.len() + place)
    }

    /// Runs `work` for one strip of rows after the other, each as if it were the first.
    pub(super) fn by_strips(
        &mut self,
        strips: impl Iterator<Item = Range<usize>>,
        mut work: impl FnMut(&mut Self, Range<usize>),
    ) {
        let before = self.written.clone();
        for strip in strips {
            self.written.clone_from(&before);
            self.strip = strip.clone();
            work(self, strip);
        }
        self.strip = 0..self.rows;
    }

    /// Rows of the tile.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that work is for.
    pub(super) fn strip(&self) -> Range<usize> {
        self.strip.clone()
    }

    /// The home slot of a slot.
    pub(super) fn home(&self, slot: usize) -> usize {
        self.homes[slot]
    }

    /// The delta of a slot where it is wanted, as it is.
    pub(super) fn as_it_is(&mut self, slot: usize) -> Option<TileMut<'_, T>> {
        let (home, rows, strip) = (self.homes[slot], self.rows, self.strip.clone());
        let (cell, length) = (self.cell(home), self.slots[home]);
        self.cells[cell].as_mut().map(|memory| memory.first(rows, length).row_block(strip))
    }

    /// Runs `work` with the delta of a slot and all others, if that slot's is wanted.
    pub(super) fn with(&mut self, slot: usize, work: impl FnOnce(TileMut<'_, T>, &mut Self)) {
        let home = self.homes[slot];
        let cell = self.cell(home);
        let Some(mut memory) = self.cells[cell].take() else { return };
        work(memory.first(self.rows, self.slots[home]).row_block(self.strip.clone()), self);
        self.cells[cell] = Some(memory);
    }

    /// The delta of a slot where it is wanted, to be written first and added to later.
    pub(super) fn of(&mut self, slot: usize) -> Option<(TileMut<'_, T>, WriteMode)> {
        let home = self.homes[slot];
        let written = self.written[home];
        self.written[home] = true;
        Some((self.as_it_is(slot)?, if written { WriteMode::Accumulate } else { WriteMode::Replace }))
    }
}
