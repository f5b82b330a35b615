// Writes a checkpointed stream into a database, and kills itself after so many transactions: a process of its own.
import { StreamHost } from "../../src/host/index.ts"

const [url = "", dataDir = "", items = "0", killAfter = "0"] = process.argv.slice(2)
let transactions = 0
const host = await StreamHost.start({
  connections: { "db-conn": url },
  policy: { db: [url] },
  dataDir,
  bindings: {
    written: () => {
      if (++transactions === Number(killAfter)) process.kill(process.pid, "SIGKILL")
    }
  },
  log: () => {}
})
const { value } = await host.run(`
  (call :stream.await
    (call :stream.db.bulk-insert "killed"
      {:data-stream (call :stream.with-checkpointing
                      (stream.map (range 0 ${items}) (fn [i] {:id i}))
                      {:stream-id "killed" :checkpoint-interval 20 :every-n-items 500})
       :batch-size 100
       :on-batch-complete (fn [n] (written))}))`)
process.stdout.write(`${JSON.stringify(value)}\n`)
await host.stop()
