import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type ServiceProcess, until } from "../service/ServiceProcess.ts"

/** What a service that was started with this environment holds, in megabytes, each time that it is asked. */
export const askHeldMemory = (
  service: ServiceProcess,
  flags = ""
): { readonly env: NodeJS.ProcessEnv; readonly held: () => Promise<number> } => {
  const file = join(service.folder, "held")
  writeFileSync(file, "")
  const told = () => Promise.resolve(readFileSync(file, "utf8").split("\n").slice(0, -1))
  const preload = new URL("tellHeldMemory.ts", import.meta.url).href
  return {
    env: { NODE_OPTIONS: `${flags} --import ${preload}`, HELD_MEMORY_FILE: file },
    held: async () => {
      const { length } = await told()
      service.running.process.kill("SIGUSR2")
      return Number((await until(told, (lines) => lines.length > length)).at(-1))
    }
  }
}
