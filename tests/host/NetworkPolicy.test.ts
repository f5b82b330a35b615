import dns from "node:dns"
import { afterEach, describe, expect, it, vi } from "vitest"
import { exitStatusOf } from "../../src/cli/exitStatus.ts"
import { addressClass, canonicalAddress } from "../../src/host/addressClass.ts"
import { makeNetworkAccess } from "../../src/host/NetworkPolicy.ts"
import { collect, hostFor, serveHttp } from "../capabilities/network/servers.ts"

/** Lets names lead to addresses, one after the other where there are several. */
const nameServer = (names: Readonly<Record<string, ReadonlyArray<ReadonlyArray<string>>>>): void => {
  const turns = new Map<string, number>()
  vi.spyOn(dns.promises, "lookup").mockImplementation((async (name: string) => {
    const turn = turns.get(name) ?? 0
    turns.set(name, turn + 1)
    const answers = names[name] ?? [[]]
    return answers[Math.min(turn, answers.length - 1)]!.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
  }) as unknown as typeof dns.promises.lookup)
}
afterEach(() => vi.restoreAllMocks())

describe("addressClass", () => {
  it.each([
    ["127.0.0.1", "loopback"],
    ["127.255.1.1", "loopback"],
    ["10.1.2.3", "private"],
    ["172.31.0.1", "private"],
    ["192.168.1.1", "private"],
    ["169.254.169.254", "link-local"],
    ["100.64.0.1", "shared (carrier)"],
    ["0.0.0.0", "this network"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "reserved"],
    ["::1", "loopback"],
    ["::", "this network"],
    ["fe80::1%eth0", "link-local"],
    ["fd00::1", "private"],
    ["ff02::1", "multicast"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:7f00:1", "loopback"],
    ["64:ff9b::a9fe:a9fe", "link-local"],
    ["64:ff9b:1::1", "translated"],
    ["2002:7f00:1::", "translated"],
    ["::127.0.0.1", "translated"],
    ["2001:db8::1", "reserved"]
  ])("knows %s as %s", (address, expected) => expect(addressClass(address)).toBe(expected))

  it.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])(
    "takes %s for public",
    (address) => expect(addressClass(address)).toBe(undefined)
  )

  it("writes an address in one way", () => {
    expect(canonicalAddress("0:0:0:0:0:0:0:1")).toBe("::1")
    expect(canonicalAddress("::ffff:7f00:1")).toBe("127.0.0.1")
  })
})

describe("network grants", () => {
  const allows = async (net: ReadonlyArray<string>, peer: string): Promise<boolean> =>
    makeNetworkAccess({ net })
      .resolve(peer)
      .then(
        () => true,
        (error: { _tag: string }) => (expect(error._tag).toBe("PermissionDenied"), false)
      )

  it.each<[ReadonlyArray<string>, string, boolean]>([
    [["api.example.com:443"], "api.example.com:443", true],
    [["api.example.com:443"], "api.example.com:80", false],
    [["api.example.com:443"], "api.example.com.:443", true],
    [["API.Example.com:443"], "api.example.com:443", true],
    [["example.com:443"], "api.example.com:443", false],
    [["*.example.com:443"], "api.example.com:443", true],
    [["*.example.com:443"], "a.b.example.com:443", true],
    [["*.example.com:443"], "example.com:443", false],
    [["*.example.com:443"], "evilexample.com:443", false],
    [["api.example.com:*"], "api.example.com:8443", true],
    [["*:443"], "public.example.com:443", true],
    [["*:443"], "private.example.com:443", false],
    [["*:*"], "127.0.0.1:443", false],
    [["*:*"], "[::1]:443", false],
    [["*:*"], "8.8.8.8:53", true],
    [["private.example.com:443"], "private.example.com:443", false],
    [["private.example.com:443", "10.0.0.1:443"], "private.example.com:443", true],
    [["private.example.com:443", "10.0.0.1:80"], "private.example.com:443", false],
    [["mixed.example.com:443"], "mixed.example.com:443", false],
    [["127.0.0.1:80"], "127.0.0.1:80", true],
    [["127.0.0.1:80"], "[::ffff:7f00:1]:80", true],
    [["127.0.0.1:80"], "127.0.0.2:80", false],
    [["localhost:80"], "localhost:80", true],
    [["localhost:80"], "127.0.0.1:80", true],
    [["localhost:80"], "10.0.0.1:80", false],
    [["[::1]:80"], "[::1]:80", true]
  ])("%s: %s is %s", async (net, peer, expected) => {
    nameServer({
      "api.example.com": [["93.184.216.34"]],
      "a.b.example.com": [["93.184.216.34"]],
      "public.example.com": [["93.184.216.34"]],
      "private.example.com": [["10.0.0.1"]],
      "mixed.example.com": [["93.184.216.34", "127.0.0.1"]],
      localhost: [["127.0.0.1", "::1"]]
    })
    expect(await allows(net, peer)).toBe(expected)
  })

  it.each(["example.com", "example.com:0", "example.com:99999", "http://example.com:80", "a@b:80", "a*b:80", ":80", ""])(
    "refuses the grant %j",
    (grant) => expect(() => makeNetworkAccess({ net: [grant] })).toThrow("which is no host:port")
  )

  it("has a bound for connections, which are given back", () => {
    const access = makeNetworkAccess({ all: true })
    const open = Array.from({ length: 64 }, () => access.connection())
    expect(() => access.connection()).toThrow("64 connections already")
    open[0]!()
    open[0]!()
    expect(access.connection()).toBeTypeOf("function")
    expect(() => access.connection()).toThrow("64 connections already")
  })

  it("refuses secrets that could not be hidden, and shows none", () => {
    expect(() => makeNetworkAccess({ secrets: { A: "abc" } })).toThrow("at least 4")
    expect(() => makeNetworkAccess({ secrets: { "A B": "abcdef" } })).toThrow(/^(?!.*abcdef)/)
    const { conceal, reveal } = makeNetworkAccess({ secrets: { A: 'to"ken/1', B: "token/12" } })
    expect(reveal("x {{secret:A}} {{secret:B}}")).toBe('x to"ken/1 token/12')
    expect(conceal('to"ken/1 to%22ken%2F1 token/12 to\\"ken/1')).toBe("{{secret:A}} {{secret:A}} {{secret:B}} {{secret:A}}")
  })
})

describe("programs and the network", () => {
  const get = (url: string, options = ""): string => `(call :stream.http.get "${url}" {${options}})`

  it.each([
    ["a peer that was not granted", (port: number) => `http://127.0.0.1:${port}`, ["example.com:80"]],
    ["a name that leads to this machine", (port: number) => `http://rebound.example.com:${port}`, ["*:*"]],
    ["an address in another form", (port: number) => `http://0x7f.1:${port}`, ["*:*"]],
    ["an IPv4 address inside of an IPv6 one", (port: number) => `http://[::ffff:127.0.0.1]:${port}`, ["*:*"]],
    ["no network at all", (port: number) => `http://127.0.0.1:${port}`, []]
  ])("are kept from %s, and no connection is made", async (_, url, net) => {
    nameServer({ "rebound.example.com": [["127.0.0.1"]] })
    await using canary = await serveHttp((_, response) => response.end("reached"))
    await using host = await hostFor([], { policy: { net } })
    for (const program of [
      get(url(canary.port)),
      `(http-fetch "${url(canary.port)}")`,
      `(call :stream.ws.connect "${url(canary.port).replace("http", "ws")}")`,
      `(call :stream.http.bulk-post "${url(canary.port)}" {:data-stream [1]})`
    ]) {
      const { failure, items } = await collect(host, program)
      expect([items, exitStatusOf(failure)]).toEqual([[], 77])
    }
    expect(canary.connections()).toBe(0)
  })

  it("do not follow redirects to where they may not go, and take no credentials along elsewhere", async () => {
    await using canary = await serveHttp((_, response) => response.end("reached"))
    await using other = await serveHttp((_, response) => response.end("other"))
    const targets = [
      `http://127.0.0.1:${canary.port}/`,
      `http://localhost:${canary.port}/`,
      "file:///etc/passwd",
      `http://user:pass@127.0.0.1:${other.port}/`,
      `http://127.0.0.1:${other.port}/`
    ]
    await using server = await serveHttp((request, response) => {
      if (request.url === "/loop") return response.writeHead(302, { Location: "/loop" }).end()
      return response.writeHead(302, { Location: targets[Number(request.url!.slice(1))]! }).end()
    })
    await using host = await hostFor([server, other], { secrets: { TOKEN: "canary-token" } })
    const to = (path: string | number) =>
      collect(
        host,
        get(
          `${server.url}/${path}`,
          ':headers {"Authorization" "{{secret:TOKEN}}" "X-Key" "k" "Accept" "{{secret:TOKEN}}" "User-Agent" "u"} :max-attempts 1'
        )
      )
    expect(exitStatusOf((await to(0)).failure)).toBe(77)
    expect(exitStatusOf((await to(1)).failure)).toBe(77)
    expect(exitStatusOf((await to(2)).failure)).toBe(69)
    expect(exitStatusOf((await to(3)).failure)).toBe(69)
    expect((await to("loop")).failure.message).toContain("more than 5 times")
    expect(await to(4)).toEqual({ items: ["other"], failure: undefined })
    expect(canary.connections()).toBe(0)
    expect(other.requests[0]!.headers).toMatchObject({ "user-agent": "u" })
    expect(JSON.stringify(other.requests[0]!.rawHeaders)).not.toMatch(/canary-token|X-Key|Authorization/i)
    expect(server.requests.at(-1)!.headers["x-key"]).toBe("k")
  })

  it("connect to the address that was checked, whatever the name means a moment later", async () => {
    nameServer({ "moving.example.com": [["127.0.0.1"], ["127.0.0.2"]] })
    await using server = await serveHttp((_, response) => response.end("ok"))
    await using host = await hostFor([], { policy: { net: [`moving.example.com:${server.port}`, `127.0.0.1:${server.port}`] } })
    expect((await collect(host, get(`http://moving.example.com:${server.port}`))).items).toEqual(["ok"])
    // The second time it leads elsewhere, which is not granted.
    expect(exitStatusOf((await collect(host, get(`http://moving.example.com:${server.port}`))).failure)).toBe(77)
  })

  it("are told where their text alone shows what is missing, and by explain", async () => {
    await using host = await hostFor([], { policy: { net: ["example.com:443"] } })
    await expect(host.run(`(do ${get("https://example.org")})`)).rejects.toMatchObject({ at: { line: 1, column: 11 } })
    const { effects } = await host.explain(get("https://example.org/x"))
    expect(effects).toEqual([{ capability: "stream.http.get", effect: ":network", target: "example.org:443", granted: false }])
  })

  it.each(["ftp://example.com", "https://user:pass@example.com", "https://{{secret:HOST}}/", "example.com", "file:///etc/passwd"])(
    "are refused the URL %s",
    async (url) => {
      await using host = await hostFor([], { policy: { all: true } })
      await expect(host.run(get(url))).rejects.toMatchObject({ cause: expect.objectContaining({ _tag: "InvalidCall" }) })
    }
  )
})
