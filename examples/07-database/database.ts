// Late flights into a table, each exactly once, and the worst of them read back, with nothing to install: SQLite is in Node.
// Run it with `npm run build && node examples/07-database/database.ts`. It prints
//
//   written: 11 transactions, 10498 rows
//   the three longest: 1444, 1403, 1327
//
// The program names the database, and only the host knows where that is. `docs/databases.md` says what is promised.
import { mkdirSync, rmSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { StreamHost } from "rtfs-streams"

const file = "out/flights.db"
mkdirSync("out", { recursive: true })
for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true })
const database = new DatabaseSync(file)
database.exec("PRAGMA journal_mode = WAL; CREATE TABLE late (flight INTEGER PRIMARY KEY, delay INTEGER, distance INTEGER)")

let transactions = 0
await using host = await StreamHost.start({
  policy: { read: ["node_modules/vega-datasets/data"], db: [`sqlite:${file}`] },
  connections: { flights: `sqlite:${file}` },
  bindings: { committed: () => void transactions++ }
})

const { value } = await host.run(`
  (defn number [so-far flight]
    [(inc so-far) {:flight (inc so-far) :delay (:delay flight) :distance (:distance flight)}])

  (call :stream.await
    (call :stream.db.bulk-insert "late"
      {:connection flights
       :batch-size 1000
       :on-batch-complete (fn [rows] (committed))
       :data-stream
         (stream.filter
           (call :stream.stateful
             (call :stream.file.read "node_modules/vega-datasets/data/flights-200k.json" {:format :json})
             {:initial-state 0 :processor number})
           (fn [flight] (> (:delay flight) 60)))}))`)
console.log(`written: ${transactions} transactions, ${(value as { rows: number }).rows} rows`)

const worst = await host.run(`
  (call :stream.await
    (call :stream.to-collection
      {:source (call :stream.db.query "SELECT delay FROM late WHERE delay > ? ORDER BY delay DESC LIMIT 3"
                 {:connection :flights :params [60]})}))`)
console.log(`the three longest: ${(worst.value as ReadonlyArray<{ delay: number }>).map(({ delay }) => delay).join(", ")}`)
database.close()
