import { StoreFailure } from "./errors.ts"
import type { PostgresConnection } from "./PostgresConnection.ts"

/**
 * Names are stored for people and found by their digests, because an index takes no text of any length.
 */
const tables = (schema: string): string => `
CREATE SCHEMA IF NOT EXISTS ${schema};
CREATE SEQUENCE IF NOT EXISTS ${schema}.epochs;
CREATE TABLE IF NOT EXISTS ${schema}.owners (
  stream_digest bytea PRIMARY KEY, stream text NOT NULL, epoch bigint NOT NULL, token text NOT NULL, name text NOT NULL,
  pid integer NOT NULL, started text NOT NULL, renewed timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS ${schema}.checkpoints (
  stream_digest bytea NOT NULL, stream text NOT NULL, id bigint NOT NULL, epoch bigint NOT NULL, time double precision NOT NULL,
  crc bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (stream_digest, id));
ALTER TABLE ${schema}.checkpoints ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS ${schema}.facts (
  stream_digest bytea NOT NULL, name_digest bytea NOT NULL, stream text NOT NULL, name text NOT NULL, crc bigint NOT NULL,
  value bytea NOT NULL, PRIMARY KEY (stream_digest, name_digest));
CREATE TABLE IF NOT EXISTS ${schema}.letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, identity bytea NOT NULL UNIQUE, queue_digest bytea NOT NULL, queue text NOT NULL,
  stream text NOT NULL, key text NOT NULL, time double precision NOT NULL, crc bigint NOT NULL, bytes bytea NOT NULL);
CREATE INDEX IF NOT EXISTS letters_by_queue ON ${schema}.letters (queue_digest, id);
CREATE TABLE IF NOT EXISTS ${schema}.version (version integer NOT NULL);
INSERT INTO ${schema}.version SELECT ${version} WHERE NOT EXISTS (SELECT FROM ${schema}.version);`

const version = 1

/** Any number will do, as long as it is this one. */
const lockNumber = 7_483_651

/** Makes the tables on first use, one process at a time. A user who may not make any uses those that are there. */
export const preparePostgres = async (connection: PostgresConnection, location: string, schema: string): Promise<void> => {
  const [row] = await connection.query("SELECT to_regclass($1) IS NOT NULL AS exists", [`${schema}.version`])
  if (row!["exists"] !== true) {
    // One text is one transaction, so a crash leaves all of it or nothing.
    await connection.query(`SELECT pg_advisory_xact_lock(${lockNumber}); ${tables(schema)}`)
  }
  const [found] = await connection.query(`SELECT max(version) AS version FROM ${schema}.version`)
  if (found!["version"] !== version) {
    throw new StoreFailure(location, `is of version ${String(found!["version"])}, and this is version ${version}`, {
      fix: "Use the version of rtfs-streams that made it, or another schema (?schema=NAME)."
    })
  }
}
