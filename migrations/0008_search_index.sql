-- Which texts, owners, protocols and ports stand in the ranked rows of which spans, so that a search by part reads these
-- few bytes in place of the rows. A block is up to 64 spans of one interface: windows as they were stored, coarser spans
-- by their start. contents: webui/src/store/search/block.rs.
CREATE TABLE search_block (
    id INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    interface_id INTEGER NOT NULL,
    first_start INTEGER NOT NULL,
    last_start INTEGER NOT NULL,
    contents BLOB NOT NULL
);
CREATE INDEX search_block_last ON search_block (level, last_start);

-- How far blocks reach: at level 0 the id of the last window, above it the time before which all spans are in blocks. What
-- is beyond is searched row by row.
CREATE TABLE search_position (
    level INTEGER PRIMARY KEY,
    position INTEGER NOT NULL
);
INSERT INTO search_position VALUES (0, 0), (1, 0), (2, 0), (3, 0);
