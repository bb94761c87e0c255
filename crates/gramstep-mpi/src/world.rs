//! `MPI_COMM_WORLD` as a communicator of bytes.

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use gramstep::communicator::Communicator;
use gramstep::{Error, Result};
use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Destination as _, Root as _, Source as _};

/// Bytes that a process sends or receives in one call of MPI, whose counts end at 2³¹ − 1.
const PIECE: usize = 1 << 30;

/// What an `mpirun` tells its processes about their number, in the words of Open MPI and of MPICH.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// What SLURM's `srun` tells them. Under an `mpirun` it may be the number of its helpers, and does not count.
const STEP: &str = "SLURM_STEP_NUM_TASKS";

/// All processes that `mpirun` started. MPI ends when it is dropped.
///
/// Messages longer than MPI's counts allow go in pieces. A failing call ends all processes, as is MPI's default.
pub struct World {
    rank: usize,
    size: usize,
    piece: usize,
    /// One call at a time: that is what the library was asked for.
    turn: Mutex<()>,
    _universe: Universe,
}

impl World {
    /// Joins the processes that were started together. Once in the life of a process.
    ///
    /// # Errors
    /// [`Error::Communication`] if MPI is in use already, lets only its first thread speak, or belongs to another
    /// `mpirun`: then every process would be alone.
    pub fn join() -> Result<Self> {
        let refuse = |reason: String| Err(Error::Communication(reason));
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Serialized) else {
            return refuse("MPI is in use already".to_owned());
        };
        let world = SimpleCommunicator::world();
        let index = |number: i32| usize::try_from(number).unwrap_or_default();
        let (rank, size) = (index(world.rank()), index(world.size()));
        if threading < Threading::Serialized {
            return refuse("this MPI library lets no thread but the first one speak".to_owned());
        }
        if let Some(started) = started().filter(|&started| started > size) {
            return refuse(format!(
                "mpirun started {started} processes, but each is alone in its world: start them with the mpirun of the \
                 MPI library that this program was built with"
            ));
        }
        Ok(Self { rank, size, piece: PIECE, turn: Mutex::new(()), _universe: universe })
    }

    /// The same world with shorter pieces (at most 1 GiB): messages of any length in many calls.
    #[must_use]
    pub fn with_piece(mut self, bytes: usize) -> Self {
        self.piece = bytes.clamp(1, PIECE);
        self
    }

    /// Ends all processes at once; `mpirun` ends with this code.
    pub fn abort(code: i32) -> ! {
        SimpleCommunicator::world().abort(code)
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that every process gives.
    fn gather_numbers(&self, number: u64) -> Vec<u64> {
        let mut numbers = vec![0; self.size];
        SimpleCommunicator::world().all_gather_into(&number, &mut numbers[..]);
        numbers
    }

    /// The rounds of a message of which the longest part has this length: in each, a piece of every part is moved.
    fn rounds(&self, longest: usize) -> impl Iterator<Item = Range<usize>> {
        let piece = (self.piece / self.size).max(1);
        (0..longest).step_by(piece).map(move |start| start..start + piece)
    }
}

/// The piece of a part of `length` bytes that is moved in a round.
fn piece(round: &Range<usize>, length: usize) -> Range<usize> {
    round.start.min(length)..round.end.min(length)
}

/// MPI's counts and displacements of some pieces that lie side by side, and their sum.
fn layout(lengths: impl Iterator<Item = usize>) -> (Vec<i32>, Vec<i32>, usize) {
    let (mut counts, mut starts, mut total) = (Vec::new(), Vec::new(), 0);
    for length in lengths {
        // A round's pieces are at most PIECE bytes together.
        counts.push(i32::try_from(length).unwrap_or(i32::MAX));
        starts.push(i32::try_from(total).unwrap_or(i32::MAX));
        total += length;
    }
    (counts, starts, total)
}

/// Memory for what arrives: never none, see [`somewhere`].
fn buffer(bytes: usize) -> Vec<u8> {
    vec![0; bytes.max(1)]
}

/// The same bytes. None of them still have an address: the one that Rust gives to nothing is 1, which Open MPI reads as
/// `MPI_IN_PLACE`.
fn somewhere(bytes: &[u8]) -> &[u8] {
    static PLACE: [u8; 1] = [0];
    if bytes.is_empty() { &PLACE[..0] } else { bytes }
}

/// How many processes this one was started with by an `mpirun`, of whatever library, or an `srun`; none if by neither.
#[must_use]
pub fn started() -> Option<usize> {
    told(|name| std::env::var(name).ok())
}

fn told(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let number = |name: &str| variable(name)?.parse().ok();
    SIZES.iter().filter_map(|name| number(name)).max().or_else(|| number(STEP))
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of {}", self.rank, self.size)
    }
}

impl Communicator for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let _turn = self.turn();
        let lengths: Vec<usize> = self.gather_numbers(bytes.len() as u64).iter().map(|&l| l as usize).collect();
        let mut all: Vec<Vec<u8>> = lengths.iter().map(|&length| Vec::with_capacity(length)).collect();
        for round in self.rounds(lengths.iter().copied().max().unwrap_or(0)) {
            let (counts, starts, total) = layout(lengths.iter().map(|&length| piece(&round, length).len()));
            let mut received = buffer(total);
            let mut parts = PartitionMut::new(&mut received[..], &counts[..], &starts[..]);
            let own = somewhere(&bytes[piece(&round, bytes.len())]);
            SimpleCommunicator::world().all_gather_varcount_into(own, &mut parts);
            let mut rest = received.as_slice();
            for (all, &length) in all.iter_mut().zip(&lengths) {
                let (part, others) = rest.split_at(piece(&round, length).len());
                all.extend_from_slice(part);
                rest = others;
            }
        }
        Ok(all)
    }

    fn all_to_all(&self, mut parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        let _turn = self.turn();
        if parts.len() != self.size {
            return Err(Error::Communication(format!("{} parts for {} processes", parts.len(), self.size)));
        }
        // What a process sends to itself does not travel.
        let kept = std::mem::take(&mut parts[self.rank]);
        let sent: Vec<u64> = parts.iter().map(|part| part.len() as u64).collect();
        let mut arriving = vec![0_u64; self.size];
        let world = SimpleCommunicator::world();
        world.all_to_all_into(&sent[..], &mut arriving[..]);
        let mut received: Vec<Vec<u8>> = arriving.iter().map(|&length| vec![0; length as usize]).collect();
        mpi::request::scope(|scope| {
            let process = |rank: usize| world.process_at_rank(i32::try_from(rank).unwrap_or(i32::MAX));
            let mut requests = Vec::new();
            for (rank, buffer) in received.iter_mut().enumerate() {
                let pieces = buffer.chunks_mut(self.piece);
                requests.extend(pieces.map(|piece| process(rank).immediate_receive_into(scope, piece)));
            }
            // The next process first: not all send to the same one at a time.
            for rank in (1..self.size).map(|distance| (self.rank + distance) % self.size) {
                for piece in parts[rank].chunks(self.piece) {
                    process(rank).immediate_send(scope, piece).wait_without_status();
                }
            }
            requests.into_iter().for_each(mpi::request::Request::wait_without_status);
        });
        received[self.rank] = kept;
        Ok(received)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>, root: usize) -> Result<()> {
        let _turn = self.turn();
        let rank = i32::try_from(root).ok().filter(|_| root < self.size);
        let Some(rank) = rank else {
            return Err(Error::Communication(format!("no process {root} among {}", self.size)));
        };
        let world = SimpleCommunicator::world();
        let root = world.process_at_rank(rank);
        let mut length = bytes.len() as u64;
        root.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        for part in bytes.chunks_mut(self.piece) {
            root.broadcast_into(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_processes_is_read_whatever_started_them() {
        let set =
            |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
        assert_eq!(told(set("OMPI_COMM_WORLD_SIZE", "4")), Some(4));
        assert_eq!(told(set("PMI_SIZE", "2")), Some(2));
        assert_eq!(told(set("PMI_SIZE", "none")), None);
        assert_eq!(told(set(STEP, "4")), Some(4));
        assert_eq!(told(|_| None), None);
        let under_mpirun = |asked: &str| Some(if asked == STEP { "3" } else { "2" }.to_owned());
        assert_eq!(told(under_mpirun), Some(2));
    }

    #[test]
    fn pieces_cover_every_part_once() {
        let round = 4..8;
        assert_eq!([3, 6, 9].map(|length| piece(&round, length)), [3..3, 4..6, 4..8]);
        assert_eq!(layout([2, 0, 5].into_iter()), (vec![2, 0, 5], vec![0, 2, 2], 7));
    }
}
