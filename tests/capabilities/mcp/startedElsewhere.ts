// Run by Node itself, which knows the package under that name only once it is built.
import { StreamHost } from "../../../src/index.ts"

/** `node startedElsewhere.ts DIR URL`: a process that works on a stream until it is killed. */
const [dataDir, url] = process.argv.slice(2)
const host = await StreamHost.start({ dataDir: dataDir!, policy: { net: [new URL(url!).host] } })
await host.eval(`
  (call :stream.await (call :mcp.stream.start {:endpoint "${url}" :stream-id "mine" :initial-state []
    :processor (fn [seen n metadata] {:state (conj seen n) :action (if (= n 60) :complete :continue)})}))`)
