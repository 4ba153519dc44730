//! The program itself, as somebody types it in beside a gateway at work.

use std::process::Command;

use super::world::World;

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Typed {
    /// What a command answered that must have succeeded.
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

impl World {
    /// Types in a command, with the configuration file of the first gateway.
    pub(crate) async fn type_in(&self, words: &[&str]) -> Typed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.args(words).arg("--config").arg(self.file());
        let done = tokio::task::spawn_blocking(move || command.output());
        let done = done.await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Typed {
            code: done.status.code(),
            out: text(done.stdout),
            err: text(done.stderr),
        }
    }
}
