//! What kind of machine a shared object is for.

use std::fmt;

use object::elf;
use serde::{Serialize, Serializer};

/// A processor architecture, as an ELF header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Architecture {
    /// The number of the machine, `EM_…`.
    pub machine: u16,
    /// Whether addresses have 64 bits; 32 otherwise.
    pub is_64_bit: bool,
    /// Whether numbers start with their lowest byte.
    pub is_little_endian: bool,
}

impl Architecture {
    /// The architecture that this program runs on; none when it is an unusual one.
    pub fn native() -> Option<Self> {
        let machine = match std::env::consts::ARCH {
            "aarch64" => elf::EM_AARCH64,
            "arm" => elf::EM_ARM,
            "loongarch64" => elf::EM_LOONGARCH,
            "mips" | "mips64" => elf::EM_MIPS,
            "powerpc" => elf::EM_PPC,
            "powerpc64" => elf::EM_PPC64,
            "riscv32" | "riscv64" => elf::EM_RISCV,
            "s390x" => elf::EM_S390,
            "x86" => elf::EM_386,
            "x86_64" => elf::EM_X86_64,
            _ => return None,
        };
        Some(Self {
            machine: machine.0,
            is_64_bit: cfg!(target_pointer_width = "64"),
            is_little_endian: cfg!(target_endian = "little"),
        })
    }

    /// Whether a shared object for it can run here. On an unusual
    /// architecture only the system's own loader can tell.
    pub fn is_native(self) -> bool {
        Self::native().is_none_or(|native| native == self)
    }
}

/// The architectures that Linux distributions come for.
const NAMES: [(elf::Machine, &str); 10] = [
    (elf::EM_X86_64, "x86-64"),
    (elf::EM_AARCH64, "aarch64"),
    (elf::EM_ARM, "arm"),
    (elf::EM_386, "i386"),
    (elf::EM_RISCV, "riscv"),
    (elf::EM_PPC64, "powerpc64"),
    (elf::EM_PPC, "powerpc"),
    (elf::EM_S390, "s390x"),
    (elf::EM_MIPS, "mips"),
    (elf::EM_LOONGARCH, "loongarch"),
];

impl fmt::Display for Architecture {
    /// Its usual name, with the word size and byte order where the name leaves them open:
    /// `x86-64`, `aarch64`, `riscv (64-bit)`, `powerpc64 (little-endian)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.is_64_bit { 64 } else { 32 };
        let known = NAMES
            .iter()
            .find(|(machine, _)| machine.0 == self.machine)
            .map(|(_, name)| *name);
        let text = match known {
            None => format!("machine {} ({bits}-bit)", self.machine),
            Some(name @ ("riscv" | "mips" | "loongarch")) => format!("{name} ({bits}-bit)"),
            Some(name @ "powerpc64") if self.is_little_endian => format!("{name} (little-endian)"),
            // A 64-bit processor with 32-bit addresses: x32 and the like.
            Some(name @ ("x86-64" | "aarch64" | "s390x")) if !self.is_64_bit => {
                format!("{name} (32-bit)")
            }
            Some(name) => name.to_owned(),
        };
        f.pad(&text)
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_called_by_its_usual_name() {
        let named = |machine: elf::Machine, is_64_bit, is_little_endian| {
            Architecture {
                machine: machine.0,
                is_64_bit,
                is_little_endian,
            }
            .to_string()
        };
        assert_eq!(named(elf::EM_AARCH64, true, true), "aarch64");
        assert_eq!(named(elf::EM_X86_64, false, true), "x86-64 (32-bit)");
        assert_eq!(named(elf::EM_RISCV, true, true), "riscv (64-bit)");
        assert_eq!(
            named(elf::EM_PPC64, true, true),
            "powerpc64 (little-endian)"
        );
        assert_eq!(
            named(elf::Machine(9999), true, true),
            "machine 9999 (64-bit)"
        );
    }

    #[test]
    fn only_the_own_architecture_is_native() {
        let native = Architecture::native().unwrap();
        assert!(native.is_native());
        assert!(
            !Architecture {
                is_64_bit: !native.is_64_bit,
                ..native
            }
            .is_native()
        );
    }
}
