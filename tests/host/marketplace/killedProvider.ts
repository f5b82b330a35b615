import { StreamHost } from "../../../src/index.ts"

/**
 * `node killedProvider.ts FOLDER repeats|live LIFE`: writes what a provider gives into a file, with checkpoints. The first
 * life is killed behind its third checkpoint, between two of them; the next ones end.
 */
const [folder, kind, life] = process.argv.slice(2) as [string, "repeats" | "live", string]
const first = kind === "live" ? (Number(life) - 1) * 1000 : 0
let checkpoints = 0

const host = await StreamHost.start({
  store: `sqlite:${folder}/state.db`,
  policy: { write: [folder] },
  log: () => {},
  print: () => {},
  bindings: { noted: () => void checkpoints++ }
})
host.marketplace.register({
  id: "com.example:v1:numbers",
  type: "source",
  repeats: kind === "repeats",
  open: async function* () {
    for (let n = first; n < first + 150; n++) {
      // Checkpoints have their turn among the items.
      do await new Promise((resolve) => setTimeout(resolve, 1))
      while (life === "1" && checkpoints < Math.floor(n / 30) - 2)
      if (life === "1" && checkpoints >= 3 && n % 30 === 20) process.kill(process.pid, "SIGKILL")
      yield n
    }
  }
})
await host.run(`
  (call :stream.await
    (call :stream.file.write "${folder}/out.txt"
      {:data-source (call :stream.with-checkpointing
                      (call :stream.map (call :marketplace.stream.start {:id "com.example:numbers" :buffer-size 8}) {:transform str})
                      {:stream-id "numbers" :every-n-items 30 :checkpoint-interval 60000 :on-checkpoint noted})
       :format :lines}))`)
await host.stop({ timeout: 1000 })
process.exit(0)
