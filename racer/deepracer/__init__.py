"""DeepRacer's files: `config` reads settings, `logs` reads and writes logs."""
