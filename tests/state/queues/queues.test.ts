import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { queueContract } from "../../contracts/queue.ts"
import { embedded, embeddedAt, servers } from "./queueServers.ts"

const directory = mkdtempSync(join(tmpdir(), "rtfs-queues-"))
const all = await servers()

queueContract(embedded)
queueContract({ ...embedded, name: "embedded, in a file", open: embeddedAt(`sqlite:${join(directory, "state.db")}`) })
for (const server of all) queueContract(server)

afterAll(async () => {
  rmSync(directory, { recursive: true })
  for (const { remove } of all) await remove()
})
