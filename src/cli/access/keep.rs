//! Where tokens are kept: in the user's own directory, for nobody else to read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::trouble::Trouble;
use crate::config;
use crate::crypto::random;
use crate::model::ids::AudTag;
use crate::model::organization::AuthUrl;

/// Only the user may look in.
const DIRECTORY_MODE: u32 = 0o700;
/// Only the user may read and write.
const FILE_MODE: u32 = 0o600;
/// What others may do with a file of theirs; here, nothing.
const OTHERS: u32 = 0o077;
/// The longest file that is read: no token comes near.
const LONGEST: u64 = 64 * 1024;

/// The directory: `$XDG_STATE_HOME/vestibule/access` or `~/.local/state/vestibule/access`. Below it each auth host has
/// one, and each token a file.
pub(super) struct Keep {
    directory: PathBuf,
}

/// Which token of an auth host.
pub(super) enum Name<'n> {
    /// That of the session itself.
    Organization,
    /// One for an application.
    Application(&'n AudTag),
}

impl Keep {
    /// That of the user who runs the command.
    pub(super) fn of_user() -> Result<Self, Trouble> {
        let absolute = |name| {
            let value = config::environment(name).map(PathBuf::from);
            // Relative paths are to be ignored (XDG Base Directory Specification).
            value.filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .ok_or_else(|| Trouble::Usage("HOME is not set, so tokens cannot be kept".to_owned()))?;
        Ok(Self {
            directory: state.join("vestibule/access"),
        })
    }

    /// A kept token, as it was written.
    ///
    /// # Errors
    /// Where others could have read or written it: it is not used then.
    pub(super) fn token(&self, auth: &AuthUrl, name: &Name<'_>) -> Result<Option<String>, Trouble> {
        self.read(auth, name, OTHERS)
    }

    /// The token of the session, to end it by: all the more where others could have read it.
    pub(super) fn token_to_end(&self, auth: &AuthUrl) -> Result<Option<String>, Trouble> {
        self.read(auth, &Name::Organization, 0)
    }

    fn read(&self, auth: &AuthUrl, name: &Name<'_>, forbidden: u32) -> Result<Option<String>, Trouble> {
        let path = self.of(auth).join(file_name(name));
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !found.is_file() {
            return Err(Trouble::Usage(format!("{} is not a plain file", path.display())));
        }
        let file = File::open(&path)?;
        // Of what was opened, not of what stood there before.
        if file.metadata()?.permissions().mode() & forbidden != 0 {
            return Err(Trouble::Usage(format!(
                "{} can be read by others, so its token is not used; end the session with vestibule access logout, or run: chmod 600 {0}",
                path.display()
            )));
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Writes a token, all of it or nothing.
    pub(super) fn put(&self, auth: &AuthUrl, name: &Name<'_>, token: &str) -> Result<(), Trouble> {
        let directory = self.of(auth);
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&directory)?;
        // One that was there before may be open to others.
        fs::set_permissions(&directory, fs::Permissions::from_mode(DIRECTORY_MODE))?;
        let path = directory.join(file_name(name));
        let fresh = directory.join(format!(".{}.new", random::hex_digits::<8>()));
        let written = write_new(&fresh, token).and_then(|()| fs::rename(&fresh, &path));
        if written.is_err() {
            let _ = fs::remove_file(&fresh); // it may not even be there
        }
        Ok(written?)
    }

    /// Removes all tokens of an auth host.
    pub(super) fn forget(&self, auth: &AuthUrl) -> Result<(), Trouble> {
        match fs::remove_dir_all(self.of(auth)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn of(&self, auth: &AuthUrl) -> PathBuf {
        // Host and port alone: an auth host's address has nothing else, and no slash.
        let origin = auth.origin();
        let authority = origin
            .split_once("://")
            .map_or(origin, |(_, authority)| authority);
        self.directory.join(authority.replace(':', "_"))
    }
}

fn file_name(name: &Name<'_>) -> String {
    match name {
        Name::Organization => "organization.token".to_owned(),
        Name::Application(aud) => format!("{aud}.token"),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(directory: &Path) -> (Keep, AuthUrl) {
        let keep = Keep {
            directory: directory.join("vestibule/access"),
        };
        let auth = "https://login.example.com:8443".parse::<url::Url>().unwrap();
        (keep, AuthUrl::try_from(auth).unwrap())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn tokens_come_back_and_are_the_users_alone() {
        let home = tempfile::tempdir().unwrap();
        let (keep, auth) = keep(home.path());
        let aud = "0".repeat(64).parse().unwrap();
        assert_eq!(keep.token(&auth, &Name::Organization).unwrap(), None);
        keep.put(&auth, &Name::Organization, "a.b.c").unwrap();
        keep.put(&auth, &Name::Organization, "d.e.f").unwrap();
        keep.put(&auth, &Name::Application(&aud), "g.h.i").unwrap();
        let read = |name| keep.token(&auth, &name).unwrap();
        assert_eq!(read(Name::Organization).as_deref(), Some("d.e.f"));
        assert_eq!(read(Name::Application(&aud)).as_deref(), Some("g.h.i"));
        let directory = keep.of(&auth);
        assert_eq!(directory.file_name().unwrap(), "login.example.com_8443");
        assert_eq!(mode(&directory), DIRECTORY_MODE);
        assert_eq!(mode(&directory.join("organization.token")), FILE_MODE);
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            2,
            "nothing else is left"
        );
        keep.forget(&auth).unwrap();
        keep.forget(&auth).unwrap();
        assert_eq!(read(Name::Organization), None);
    }

    #[test]
    fn a_token_that_others_can_read_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let (keep, auth) = keep(home.path());
        keep.put(&auth, &Name::Organization, "a.b.c").unwrap();
        let path = keep.of(&auth).join("organization.token");
        for open in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            assert!(keep.token(&auth, &Name::Organization).is_err(), "{open:o}");
            assert_eq!(keep.token_to_end(&auth).unwrap().as_deref(), Some("a.b.c"));
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(keep.token(&auth, &Name::Organization).is_err());
    }
}
