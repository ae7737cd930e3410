//! (stand-in until the room is merged)
pub mod network {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
    pub enum ConnectPolicy {
        Never,
        OnDemand,
        #[default]
        Constant,
    }
}
pub use network::ConnectPolicy;
