// The same worker as publish.py, by npm's pusher: NODE_PATH=node_modules node publish.cjs ABOUT
const http = require("node:http")
const readline = require("node:readline")
const Pusher = require("pusher")

const { app_id: appId, ...rest } = JSON.parse(process.argv[2])
// Without an agent it would open a connection for each request.
const agent = new http.Agent({ keepAlive: true })
const pusher = new Pusher({ appId, ...rest, useTLS: false, agent })

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { requests } = JSON.parse(line)
    const began = process.hrtime.bigint()
    const used = process.cpuUsage()
    for (let i = 0; i < requests; i++) {
      const answer = await pusher.trigger("chat", "message", '{"text":"hello"}')
      await answer.text() // or the connection stays busy
    }
    const { user, system } = process.cpuUsage(used)
    const seconds = Number(process.hrtime.bigint() - began) / 1e9
    console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6 }))
  }
  agent.destroy()
}

main()
