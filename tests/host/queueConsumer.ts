import { appendFileSync } from "node:fs"
import { StreamHost } from "../../src/index.ts"

// A process that consumes until it is killed, or until there is nothing left: it notes what it worked on, and what it acknowledged.
const [store, work, queue, url, lease = "30"] = process.argv.slice(2) as [string, string, string, string?, string?]

await using host = await StreamHost.start({
  store,
  connections: url === undefined ? {} : { queue: url },
  policy: { queue: ["*"] },
  log: () => {},
  bindings: {
    work: (messages: ReadonlyArray<{ readonly body: number }>) => appendFileSync(work, messages.map(({ body }) => `${body}\n`).join("")),
    ack: () => process.stdout.write("acknowledged\n")
  }
})
await host.run(
  `(call :stream.queue.consume "${queue}" {:batch-size 20 :max-in-flight 400 :wait 300 :visibility-timeout ${lease}
                                           :on-batch (fn [messages] (work messages)) :on-ack ack})`
)
process.stdout.write("ended\n")
