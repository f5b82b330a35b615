import { describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { diagramOf } from "../../src/cli/pictures/Diagram.ts"
import { dot } from "../../src/cli/pictures/dot.ts"
import { mermaid } from "../../src/cli/pictures/mermaid.ts"
import { svg } from "../../src/cli/pictures/svg.ts"
import { displayWidth, wrapped } from "../../src/cli/pictures/textWidth.ts"

const program = `
(call :stream.consumer
  {:source (call :stream.map (call :stream.distinct (call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0}) {:max-keys 100})
             {:transform inc :buffer-size 10 :overflow :drop-oldest})
   :processor (fn [x] x)})`

const diagrams = async (source = program) => {
  await using host = await StreamHost.start()
  return (await host.explain(source)).pipelines.map(diagramOf)
}

describe("pictures of a plan", () => {
  it("draws islands, mailboxes with bounds and reasons, and states, for Mermaid", async () => {
    expect(mermaid(await diagrams())).toMatchInlineSnapshot(`
      "flowchart TD
        subgraph p0["pipeline program-1"]
          subgraph p0i0["generate (source)"]
            p0n0["generate<br/>:stream.generate"]
            p0n1["distinct<br/>:stream.distinct<br/>bounded: at most 100 keys (:max-keys)"]
            p0n0 --> p0n1
          end
          subgraph p0i1["map (processor)"]
            p0n2["map<br/>:stream.map"]
          end
          subgraph p0i2["consumer (sink)"]
            p0n3["consumer<br/>:stream.consumer"]
          end
          p0n1 ==>|"8 frames, 10 items, 512 KB, drop-oldest<br/>map was given a buffer of its own (:buffer-size 10)"| p0n2
          p0n2 ==>|"50 items, 512 KB, backpressure, pauses at 50, goes on at 25<br/>consumer was given a buffer of its own (:buffer-size 50)"| p0n3
        end
        classDef unbounded stroke:#c0392b,stroke-width:3px"
    `)
  })

  it("draws the same for Graphviz", async () => {
    expect(dot(await diagrams())).toMatchInlineSnapshot(`
      "digraph streams {
        graph [rankdir=TB, fontname="Helvetica", labeljust=l]
        node [shape=box, style=rounded, fontname="Helvetica"]
        edge [fontname="Helvetica", fontsize=10]
        subgraph cluster_0 {
          label="pipeline program-1\\nmailboxes: at most 1 MB\\nstates: at most 0 B, and what is not known in bytes: distinct"
          subgraph cluster_0_0 {
            label="generate (source)"
            "0/generate" [label="generate\\n:stream.generate"]
            "0/distinct" [label="distinct\\n:stream.distinct\\nbounded: at most 100 keys (:max-keys)"]
            "0/generate" -> "0/distinct"
          }
          subgraph cluster_0_1 {
            label="map (processor)"
            "0/map" [label="map\\n:stream.map"]
          }
          subgraph cluster_0_2 {
            label="consumer (sink)"
            "0/consumer" [label="consumer\\n:stream.consumer"]
          }
          "0/distinct" -> "0/map" [style=bold, label="8 frames, 10 items, 512 KB, drop-oldest\\nmap was given a buffer of its own (:buffer-size 10)"]
          "0/map" -> "0/consumer" [style=bold, label="50 items, 512 KB, backpressure, pauses at 50, goes on at 25\\nconsumer was given a buffer of its own (:buffer-size 50)"]
        }
      }"
    `)
  })

  it("draws the same as SVG", async () => {
    await expect(svg(await diagrams())).toMatchFileSnapshot("snapshots/plan.svg")
  })

  it("says so where no stream is started", () => {
    expect(svg([])).toContain("no stream is started")
    expect(mermaid([])).toContain("flowchart TD")
    expect(dot([])).toContain("digraph")
  })

  it("takes nothing in a name for markup", async () => {
    const [diagram] = await diagrams()
    const name = "\"><script>&'`#]%%\\ \u0001\u{1F600}\uD800"
    const named = [{ ...diagram!, title: name, islands: diagram!.islands.map((island) => ({ ...island, name })) }]
    expect(svg(named)).not.toContain("<script>")
    // oxlint-disable-next-line no-control-regex
    expect(svg(named)).not.toMatch(/[\u0000-\u0008]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])/)
    expect(svg(named)).toContain("&quot;&gt;&lt;script&gt;&amp;&#39;`#]%%\\")
    expect(mermaid(named)).toContain("#quot;#gt;#lt;script#gt;#amp;'#96;#35;]%%#92;")
    expect(dot(named)).toContain("\\\"><script>&'`#]%%\\\\ ")
  })
})

describe("the width of text", () => {
  it("counts full-width characters twice, and breaks lines at spaces where there are any", () => {
    expect(displayWidth("aé漢😀")).toBe(6)
    expect(wrapped("the quick brown fox", 10)).toEqual(["the quick", "brown fox"])
    expect(wrapped("a abcdefghijkl", 5)).toEqual(["a", "abcde", "fghij", "kl"])
    expect(wrapped("漢漢漢", 1)).toEqual(["漢", "漢", "漢"])
    expect(wrapped("", 5)).toEqual([""])
  })
})
