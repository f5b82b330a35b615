import { serveStdio } from "@modelcontextprotocol/server/stdio"
import { toFile, weatherServer } from "./weatherServer.ts"

/** `node weatherStdio.ts [reject|serve] [file]`: the weather server as a process, with or without the older era. */
const [legacy, file] = process.argv.slice(2)
serveStdio(() => weatherServer(file === undefined ? undefined : toFile(file)), legacy === "reject" ? { legacy: "reject" } : {})
