import { spawn } from "node:child_process"

/**
 * Runs `queueConsumer.ts` in a process of its own.
 *
 * @param isKilled whether it is killed once it has acknowledged something
 * @returns what it has said
 */
export const runConsumer = (parameters: ReadonlyArray<string>, isKilled: boolean): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["tests/host/queueConsumer.ts", ...parameters], { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    child.stdout.on("data", (text: Buffer) => {
      said += String(text)
      if (isKilled && said.includes("acknowledged")) child.kill("SIGKILL")
    })
    child.on("close", () => resolve(said))
  })
