-- What is no process is told apart by its reason too, so that traffic which is unknown for several reasons is several rows.
-- reason is empty for processes, whose reasons change while they live and stand in ranked.
CREATE TABLE owner_with_reason (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    reason TEXT NOT NULL,
    executable TEXT NOT NULL,
    command_line TEXT NOT NULL,
    user TEXT NOT NULL,
    unit TEXT NOT NULL,
    container TEXT NOT NULL,
    parents TEXT NOT NULL,
    alive INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    UNIQUE (name, pid, started, reason)
);
INSERT INTO owner_with_reason SELECT id, name, pid, started, '', executable, command_line, user, unit, container,
    parents, alive, last_used FROM owner;
DROP TABLE owner;
ALTER TABLE owner_with_reason RENAME TO owner;
