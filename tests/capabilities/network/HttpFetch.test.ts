import { gzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { bodyOf, hostFor, serveHttp } from "./servers.ts"

describe("http-fetch", () => {
  it("gives status, headers and body of whatever the peer answers", async () => {
    await using server = await serveHttp(async (request, response) => {
      response.setHeader("X-Method", request.method!)
      response.writeHead(request.url === "/no" ? 404 : 200)
      response.end(request.method === "GET" ? "Größe" : await bodyOf(request))
    })
    await using host = await hostFor([server])
    const fetched = (options: string, path = "") => host.eval(`(http-fetch "${server.url}${path}" ${options})`)
    expect(await fetched("")).toMatchObject({ status: 200, headers: { "x-method": "GET" }, body: "Größe" })
    expect(await fetched("", "/no")).toMatchObject({ status: 404 })
    expect(await fetched("{:method :POST :body {:a [1 nil]} :as :json}")).toMatchObject({ body: { a: [1, null] } })
    expect(server.requests.at(-1)!.headers["content-type"]).toBe("application/json")
    expect(await fetched('{:method "PUT" :body "x" :as :bytes}')).toMatchObject({ body: new Uint8Array([120]) })
    expect(await fetched("{:method :HEAD}")).toMatchObject({ status: 200, body: "" })
    await expect(fetched('{:body "x"}')).rejects.toThrow("GET can't have")
    await expect(fetched("{:verb 1}")).rejects.toThrow("no option :verb")
    await expect(fetched("{:as :json}")).rejects.toThrow("no JSON")
  })

  it("takes no body that is longer than it may be, before or after decompression", async () => {
    await using server = await serveHttp((request, response) => {
      if (request.url === "/bomb") response.setHeader("Content-Encoding", "gzip")
      response.end(request.url === "/bomb" ? gzipSync(Buffer.alloc(64 * 1024 * 1024)) : Buffer.alloc(70_000))
    })
    await using host = await hostFor([server])
    await expect(host.eval(`(http-fetch "${server.url}" {:max-body-size 65536})`)).rejects.toThrow("longer than 65536")
    await expect(host.eval(`(http-fetch "${server.url}/bomb")`)).rejects.toThrow("longer than 4194304")
  })

  it("is refused by a policy that grants no such peer, and can be caught", async () => {
    await using server = await serveHttp((_, response) => response.end())
    await using host = await hostFor([], { policy: { net: ["example.com:443"] } })
    expect(await host.eval(`(try (http-fetch "${server.url}") (catch e (:type e)))`)).toMatchObject({ name: "capability-denied" })
    expect(server.connections()).toBe(0)
  })
})
