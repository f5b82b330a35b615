// Orders come from one web server and go to another one, in batches, with a token that the program never sees.
//
// Run it with `npm run build && node examples/06-over-http/over-http.ts`.
//
// Both servers are started here, so that it runs anywhere. The second one is busy at first: the batch is sent again with the
// same Idempotency-Key, by which it knows what it has already. It prints
//
//   503 for 2 orders, key 1
//   200 for 2 orders, key 1
//   200 for 1 orders, key 2
//   {"batches":2,"items":3,"failed":0,"retries":1}
//   refused: there is no grant for port 9
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { StreamHost } from "rtfs-streams"

const serve = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { server, peer: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const orders = await serve((request, response) => {
  if (request.headers.authorization !== "Bearer not-for-programs") return response.writeHead(401).end()
  return response.end([10, 250, 700, 80, 990].map((total, id) => `${JSON.stringify({ id, total })}\n`).join(""))
})

const keys: Array<string> = []
const billing = await serve(async (request, response) => {
  let body = ""
  for await (const chunk of request) body += String(chunk)
  const key = request.headers["idempotency-key"] as string
  if (!keys.includes(key)) keys.push(key)
  const status = keys.length === 1 && printed++ === 0 ? 503 : 200
  console.log(`${status} for ${(JSON.parse(body) as ReadonlyArray<unknown>).length} orders, key ${keys.indexOf(key) + 1}`)
  response.writeHead(status).end()
})
let printed = 0

const host = await StreamHost.start({
  policy: { net: [orders.peer, billing.peer] },
  secrets: { TOKEN: "not-for-programs" }
})

const receipt = await host.eval(`
  (let [orders (call :stream.http.get "http://${orders.peer}/orders" {:format :ndjson :headers {"Authorization" "Bearer {{secret:TOKEN}}"}})
        large  (call :stream.filter orders {:predicate (fn [order] (> (:total order) 100))})]
    (call :stream.await
      (call :stream.http.bulk-post "http://${billing.peer}/large" {:data-stream large :batch-size 2 :retry-policy {:base-delay 100}})))`)
console.log(JSON.stringify(receipt))

await host.run('(call :stream.http.get "http://127.0.0.1:9/")').catch((error: { _tag?: string }) => {
  if (error._tag === "PermissionDenied") console.log("refused: there is no grant for port 9")
})
await host.stop({ timeout: 1000 })
orders.server.close()
billing.server.close()
