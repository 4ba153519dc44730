//! Configuration: one TOML file, read once into what it means, every fault named at once.
