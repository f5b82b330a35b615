// Loaded into a process under test by --import: at SIGUSR2 it appends a line to the file that HELD_MEMORY_FILE names, with what
// it holds.
import { appendFileSync } from "node:fs"
import { heldMegabytes } from "./heldMemory.ts"

process.on("SIGUSR2", () => {
  void heldMegabytes().then((megabytes) => appendFileSync(process.env["HELD_MEMORY_FILE"]!, `${megabytes}\n`))
})
