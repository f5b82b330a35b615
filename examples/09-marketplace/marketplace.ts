// A host offers a feed and a ledger under ids; a program finds them, takes items one by one, leaves, and comes back.
//
// Run it with `npm run build && node examples/09-marketplace/marketplace.ts`.
//
// The program knows no function of the host: only ids, and what the schemas say. While it is away the feed goes on, and what
// it missed is kept for it. The last lines are what the host knows of who used what. It prints
//
//   com.example:v2.0:prices com.example:v1.0:prices
//   first two: 101 102
//   missed meanwhile: 103 104 105
//   in the ledger: 103 104 105, closed
//   marketplace.stream.start com.example:v2.0:prices allowed
//   marketplace.stream.open-sink com.example:v1.0:ledger allowed

import { StreamHost } from "rtfs-streams"

const ledger: Array<unknown> = []

await using host = await StreamHost.start({ print: (line) => console.log(line) })

for (const version of [1, 2]) {
  host.marketplace.register({
    id: `com.example:v${version}.0:prices`,
    type: "source",
    summary: "Prices, one after the other.",
    output: { type: "map", required: ["price"], properties: { price: { type: "integer" } } },
    open: async function* ({ from }) {
      for (let price = from + 1; price <= from + 5; price++) yield { price }
    }
  })
}
host.marketplace.register({
  id: "com.example:v1.0:ledger",
  type: "sink",
  input: "int",
  open: () => ({ write: (item) => void ledger.push(item), close: () => void ledger.push("closed") })
})

await host.run(`
  (println (join " " (map :id (call :marketplace.discover {:type :stream-source :effects []}))))

  (let [prices (stream-source "com.example:prices" {:config {:from 100}})
        take (fn [options] (call :marketplace.stream.next (merge {:handle prices} options)))
        first (take {})
        second (take {})]
    (println (str "first two: " (:price (:item first)) " " (:price (:item second))))
    (call :marketplace.stream.detach {:handle prices})
    (call :stream.await prices)
    (let [missed (map :price (:items (take {:cursor (:cursor second) :max-items 100})))]
      (println (str "missed meanwhile: " (join " " (map str missed))))
      (with-resource [ledger Stream (stream-sink "com.example:ledger")]
        (stream-produce ledger :items missed))))
`)

console.log(`in the ledger: ${ledger.slice(0, -1).join(" ")}, ${String(ledger.at(-1))}`)
for (const { call, outcome, program, subject } of host.marketplace.uses()) {
  if (program !== "host" && outcome === "allowed") console.log(`${call} ${subject} ${outcome}`)
}
