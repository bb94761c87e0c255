//! The values of a tile, in the memory of their homes.

use std::ops::Range;

use super::memory::join;
use crate::device::{Tile, TileMut, carve};
use crate::model::network::Network;
use crate::scalar::Scalar;

/// Values of slots 1, 2, …, of one tile.
pub(super) struct Values<'v, T> {
    rows: usize,
    slots: &'v [usize],
    /// The slot in whose memory each slot's values lie.
    homes: &'v [usize],
    /// That memory, of home slot s at index s − 1.
    cells: Vec<Option<TileMut<'v, T>>>,
    /// Memory of all slots that have none: of those that are made again where they are needed.
    shared: Option<TileMut<'v, T>>,
}

impl<'v, T: Scalar> Values<'v, T> {
    /// In kept memory where there is some, else in scratch memory for `rows` samples.
    pub(super) fn new<'m: 'v>(
        network: &'v Network<T>,
        kept: &'v mut [Option<TileMut<'_, T>>],
        rows: usize,
        memory: &mut &'m mut [T],
    ) -> Self {
        let Network { slots, value_homes: homes, remade, .. } = network;
        let shared = shared_length(network, kept);
        let own = |at: usize| homes[at + 1] == at + 1 && !remade[at + 1];
        let cells = join(kept, &slots[1..], rows, memory, own);
        Self { rows, slots, homes, cells, shared: Some(carve(memory, rows, shared)) }
    }

    /// Numbers of scratch memory that [`new`](Self::new) takes.
    pub(super) fn scratch(network: &Network<T>, kept: &[Option<TileMut<'_, T>>], rows: usize) -> usize {
        let own =
            |&slot: &usize| kept[slot - 1].is_none() && network.value_homes[slot] == slot && !network.remade[slot];
        let lengths = (1..network.slots.len()).filter(own).map(|slot| network.slots[slot]);
        rows * (lengths.sum::<usize>() + shared_length(network, kept))
    }

    /// Every slot in memory of its own.
    pub(super) fn apart(slots: &'v [usize], homes: &'v [usize], rows: usize, cells: Vec<TileMut<'v, T>>) -> Self {
        Self { rows, slots, homes, cells: cells.into_iter().map(Some).collect(), shared: None }
    }

    /// Whether a slot's values take the place of others.
    pub(super) fn takes_place(&self, slot: usize) -> bool {
        self.homes[slot] != slot
    }

    /// Whether a slot's values are lost with the next ones of their kind.
    pub(super) fn is_remade(&self, slot: usize) -> bool {
        slot > 0 && self.cells[self.homes[slot] - 1].is_none()
    }

    /// The values of a slot, or of the input `x`, of some samples of the tile.
    pub(super) fn read<'b>(&'b self, slot: usize, x: Tile<'b, T>, samples: &Range<usize>) -> Tile<'b, T> {
        if slot == 0 {
            return x.row_range(samples.clone());
        }
        let own = self.cells[self.homes[slot] - 1].as_ref().or(self.shared.as_ref());
        let Some(memory) = own else { unreachable!("a slot is read while it is written") };
        memory.as_tile().first(self.rows, self.slots[slot]).row_range(samples.clone())
    }

    /// Runs `work` with the memory of a slot for some samples and all other memory.
    pub(super) fn with(&mut self, slot: usize, samples: &Range<usize>, work: impl FnOnce(TileMut<'_, T>, &Self)) {
        let home = self.homes[slot] - 1;
        let (rows, length, own) = (self.rows, self.slots[slot], self.cells[home].is_some());
        let place = if own { &mut self.cells[home] } else { &mut self.shared };
        let Some(mut cell) = place.take() else { return };
        work(cell.first(rows, length).row_block(samples.clone()), self);
        *(if own { &mut self.cells[home] } else { &mut self.shared }) = Some(cell);
    }
}

/// Numbers of a sample that the widest slot without memory of its own needs.
fn shared_length<T: Scalar>(network: &Network<T>, kept: &[Option<TileMut<'_, T>>]) -> usize {
    let remade = (1..network.slots.len()).filter(|&slot| network.remade[slot] && kept[slot - 1].is_none());
    remade.map(|slot| network.slots[slot]).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Seed, Trace, TracePart, Trained, Walker, Writing};
    use super::*;
    use crate::device::{Buffer, Device};
    use crate::model::compile::compile;
    use crate::model::specification::{Shape, Specification};

    const IMAGE: Shape = Shape::Image { height: 32, width: 32, channels: 3, side: 0 };

    fn wave(length: usize, factor: f64) -> Buffer<f32> {
        Buffer::upload((0..length).map(|i| (factor * (i as f64 * 12.9898).sin()) as f32).collect())
    }

    /// The bits of everything that a walk leaves behind.
    fn bits(trace: Trace<f32>) -> Vec<Vec<u32>> {
        let parts = trace.parts.into_iter().flat_map(|part| match part {
            TracePart::Linear { activations, deltas } => vec![(*activations).clone(), deltas],
            TracePart::Explicit(gradients) => vec![gradients],
            TracePart::Written { weight, bias } => weight.into_iter().chain(bias).collect(),
        });
        let all = std::iter::once(trace.outputs).chain(trace.input_deltas).chain(parts);
        all.map(|values| values.into_host().iter().map(|v| v.to_bits()).collect()).collect()
    }

    #[test]
    fn values_in_the_place_of_others_are_those_in_memory_of_their_own() {
        let specification = Specification::fixup_resnet(IMAGE, 2, 16, 2);
        let (network, _) = compile::<f32>(&specification).unwrap();
        let (mut apart, _) = compile::<f32>(&specification).unwrap();
        assert!((0..network.slots.len()).any(|slot| network.value_homes[slot] != slot));
        assert!(network.remade.contains(&true));
        apart.value_homes = (0..apart.slots.len()).collect();
        apart.remade.fill(false);
        let (theta, device, samples) = (wave(network.parameters, 0.3), Device::cpu(1), 21);
        let x = Arc::new(wave(samples * IMAGE.len(), 1.0));
        for (written, summed) in [(false, false), (true, false), (true, true)] {
            let nodes = |network: &Network<f32>| -> Vec<_> {
                let trained = Trained { weight: true, bias: false };
                network.nodes.iter().map(|node| (written && node.stage.is_convolution()).then_some(trained)).collect()
            };
            let walk = |network: &Network<f32>| {
                let walker = Walker { network, device: &device, theta: &theta };
                let writing = Writing { nodes: nodes(network), summed };
                bits(walker.trace(&x, samples, Seed::Outputs, Some(&writing), true))
            };
            let (near, far) = (walk(&network), walk(&apart));
            assert_eq!(near.len(), far.len());
            for (at, (near, far)) in near.iter().zip(&far).enumerate() {
                assert!(near == far, "array {at}, written {written}, summed {summed}");
            }
        }
    }
}
