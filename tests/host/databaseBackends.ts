import { DatabaseSync } from "node:sqlite"
import { join } from "node:path"
import mysql from "mysql2/promise"
import pg from "pg"

/** A database for tests, with what differs between databases. */
export interface Backend {
  readonly name: string
  readonly url: string
  readonly grant: string
  /** Why it is not there. */
  readonly missing: string | undefined
  readonly param: string
  readonly column: {
    readonly kinds: string
    readonly insertKinds: string
    readonly kindsRead: unknown
    readonly writingQueries: ReadonlyArray<string>
  }
  readonly open: () => Promise<void>
  readonly run: (sql: string) => Promise<ReadonlyArray<Record<string, unknown>>>
  readonly close: () => Promise<void>
}

const postgresUrl = process.env["RTFS_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/test"
const mysqlUrl = process.env["RTFS_TEST_MYSQL"] ?? "mysql://root@127.0.0.1:3306/test"

/** Each in a schema (or file) of its own, which is gone afterwards. */
export const backends = async (folder: string): Promise<ReadonlyArray<Backend>> => [sqlite(folder), await postgres(), await mariadb()]

const sqlite = (folder: string): Backend => {
  const file = join(folder, "test.db")
  let database: DatabaseSync
  return {
    name: "SQLite",
    url: `sqlite:${file}`,
    grant: `sqlite:${file}`,
    missing: undefined,
    param: "?",
    column: {
      kinds: "big INTEGER, small INTEGER, exact TEXT, half REAL, bytes BLOB, none TEXT",
      insertKinds: "INSERT INTO kinds VALUES (9007199254740993, 7, '12345678901234567890.5', 1.5, x'00ff', NULL)",
      kindsRead: {
        big: 9007199254740993n,
        small: 7,
        exact: "12345678901234567890.5",
        half: 1.5,
        bytes: new Uint8Array([0, 255]),
        none: null
      },
      writingQueries: ["SELECT load_extension('x')", "WITH x AS (SELECT 1) DELETE FROM guarded", "SELECT 1 AS a, 2 AS a"]
    },
    open: async () => {
      database = new DatabaseSync(file)
      database.exec("PRAGMA journal_mode = WAL")
    },
    run: async (sql) => database.prepare(sql).all(),
    close: async () => database.close()
  }
}

const postgres = async (): Promise<Backend> => {
  const schema = `rtfs_test_${process.pid}`
  const client = new pg.Client(postgresUrl)
  const missing = await client.connect().then(
    () => undefined,
    (error: Error) => `no PostgreSQL at ${new URL(postgresUrl).host}: ${error.message}`
  )
  return {
    name: "PostgreSQL",
    url: `${postgresUrl}?options=-c%20search_path%3D${schema}`,
    grant: postgresUrl,
    missing,
    param: "$1",
    column: {
      kinds:
        "big bigint, small int, exact numeric, half float8, bytes bytea, none text, day date, moment timestamptz, wall timestamp, many bigint[], j jsonb, truth boolean",
      insertKinds: `INSERT INTO kinds VALUES (9007199254740993, 7, 12345678901234567890.5, 1.5, '\\x00ff', NULL, '2026-02-03', '2026-02-03 04:05:06+00', '2026-02-03 04:05:06', '{1,9007199254740993}', '{"a": [1]}', true)`,
      kindsRead: {
        big: 9007199254740993n,
        small: 7,
        exact: "12345678901234567890.5",
        half: 1.5,
        bytes: new Uint8Array([0, 255]),
        none: null,
        day: "2026-02-03",
        moment: new Date("2026-02-03T04:05:06Z"),
        wall: "2026-02-03 04:05:06",
        many: [1, 9007199254740993n],
        j: { a: [1] },
        truth: true
      },
      writingQueries: [
        "WITH gone AS (DELETE FROM guarded RETURNING id) SELECT * FROM gone",
        "SELECT nextval('no_such')",
        "SELECT 1 AS a, 2 AS a"
      ]
    },
    open: async () => {
      await client.query(`CREATE SCHEMA ${schema}`)
      await client.query(`SET search_path = ${schema}`)
    },
    run: async (sql) => (await client.query(sql)).rows as Array<Record<string, unknown>>,
    close: async () => {
      await client.query(`DROP SCHEMA ${schema} CASCADE`)
      await client.end()
    }
  }
}

const mariadb = async (): Promise<Backend> => {
  const name = `rtfs_test_${process.pid}`
  let connection: mysql.Connection | undefined
  const missing = await mysql.createConnection(mysqlUrl).then(
    (made) => {
      connection = made
      return undefined
    },
    (error: Error) => `no MySQL or MariaDB at ${new URL(mysqlUrl).host}: ${error.message}`
  )
  const url = new URL(mysqlUrl)
  url.pathname = `/${name}`
  return {
    name: "MariaDB",
    url: url.toString(),
    grant: url.toString(),
    missing,
    param: "?",
    column: {
      kinds: "big BIGINT, small INT, `exact` DECIMAL(30,1), half DOUBLE, bytes VARBINARY(10), none TEXT, day DATE, wall DATETIME",
      insertKinds:
        "INSERT INTO kinds VALUES (9007199254740993, 7, 12345678901234567890.5, 1.5, x'00ff', NULL, '2026-02-03', '2026-02-03 04:05:06')",
      kindsRead: {
        big: 9007199254740993n,
        small: 7,
        exact: "12345678901234567890.5",
        half: 1.5,
        bytes: new Uint8Array([0, 255]),
        none: null,
        day: "2026-02-03",
        wall: "2026-02-03 04:05:06"
      },
      writingQueries: ["SELECT nextval(no_such)", "SELECT 1 AS a, 2 AS a"]
    },
    open: async () => {
      await connection!.query(`CREATE DATABASE ${name}`)
      await connection!.query(`USE ${name}`)
    },
    run: async (sql) => (await connection!.query(sql))[0] as Array<Record<string, unknown>>,
    close: async () => {
      await connection!.query(`DROP DATABASE ${name}`)
      await connection!.end()
    }
  }
}
