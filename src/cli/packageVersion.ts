import { readFile } from "node:fs/promises"

export const packageVersion = async (): Promise<string> =>
  (JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version
