import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { storeContract } from "../contracts/store.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-sqlite-"))
let places = 0
storeContract({
  name: "sqlite",
  isShared: false,
  freshUrl: () => `sqlite:${join(folder, `${++places}.db`)}`,
  cleanUp: async () => rmSync(folder, { recursive: true })
})
