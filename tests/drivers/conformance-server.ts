/**
 * The official conformance suite for servers, against the layer that `rtfs-streams mcp --http` is made of, with the suite's
 * own tools and resources in place of ours:
 *
 *     npm install --prefix /tmp/conformance @modelcontextprotocol/conformance
 *     node tests/drivers/conformance-server.ts /tmp/conformance/node_modules/@modelcontextprotocol/conformance [VERSION | SCENARIO]…
 *
 * A VERSION is one of the protocol, such as 2026-07-28, where the suite knows several. The fixture stands behind a proxy that
 * adds the token, since the suite has none to send.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ChangeNotices } from "../../src/service/mcp/ChangeNotices.ts"
import { makeServer } from "../../src/service/mcp/makeServer.ts"
import { serveHttpOffer } from "../../src/service/mcp/serveOffer.ts"
import { addPrompts, conformanceOffer } from "./conformanceOffer.ts"

export interface Fixture extends AsyncDisposable {
  /** Of the proxy, which needs no token. */
  readonly url: string
  readonly notices: ChangeNotices
}

export const serveFixture = async (): Promise<Fixture> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-conformance-"))
  const tokenFile = join(folder, "token")
  const notices = new ChangeNotices()
  const running = await serveHttpOffer({
    make: (served) => addPrompts(makeServer(conformanceOffer, served)),
    notices,
    log: () => {},
    address: { host: "127.0.0.1", port: 0 },
    hosts: [],
    tokenFile
  })
  const token = readFileSync(tokenFile, "utf8").trim()
  const proxy = createServer((incoming, outgoing) => {
    const { headers, method, url } = incoming
    // A connection for each, so that ending one breaks off no other.
    const to = httpRequest(new URL(url!, running.url), {
      method: method!,
      headers: { ...headers, authorization: `Bearer ${token}` },
      agent: false
    })
    to.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    to.on("error", () => outgoing.destroy())
    outgoing.on("close", () => to.destroy())
    incoming.pipe(to)
  })
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://localhost:${(proxy.address() as AddressInfo).port}/mcp`,
    notices,
    [Symbol.asyncDispose]: async () => {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      await running.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Of one scenario: how many of its checks came out how. */
export interface Outcome {
  readonly scenario: string
  readonly passed: number
  readonly failed: number
  readonly warnings: number
  readonly text: string
}

/** @param suite the folder of the package */
export const runSuite = async (suite: string, url: string, args: ReadonlyArray<string>): Promise<ReadonlyArray<Outcome>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-conformance-"))
  try {
    const child = spawn(process.execPath, [join(suite, "dist/index.js"), "server", "--url", url, ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let text = ""
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece: string) => (text += piece))
    await new Promise((resolve) => child.once("close", resolve))
    return outcomesOf(text)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The summary of a run over several scenarios: `✓ ping: 1 passed, 0 failed`. */
const outcomesOf = (text: string): ReadonlyArray<Outcome> =>
  [...text.matchAll(/^\W+ ([\w-]+): (\d+) passed, (\d+) failed(?:, (\d+) warnings?)?/gm)].map(([, scenario, passed, failed, warnings]) => ({
    scenario: scenario!,
    passed: Number(passed),
    failed: Number(failed),
    warnings: Number(warnings ?? 0),
    text
  }))

if (process.argv[1] === import.meta.filename) {
  const [suite, ...wanted] = process.argv.slice(2)
  if (suite === undefined) throw new Error("Which folder is @modelcontextprotocol/conformance in?")
  await using fixture = await serveFixture()
  const runs = wanted.length === 0 ? [[]] : wanted.map((one) => [/^\d{4}-/.test(one) ? "--spec-version" : "--scenario", one])
  for (const run of runs) {
    const outcomes = await runSuite(suite, fixture.url, run)
    console.log(run.join(" "))
    if (outcomes.length === 0) console.log((await runSuite(suite, fixture.url, run))[0]?.text)
    for (const { failed, passed, scenario, warnings } of outcomes)
      console.log(`${failed > 0 ? "FAIL" : "ok  "} ${scenario}: ${passed} passed, ${failed} failed, ${warnings} warnings`)
  }
}
