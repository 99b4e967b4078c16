// Prints what axe-core finds on pages, and prints each page on A4 and Letter: node axe.cjs CHROMIUM FOLDER NAME...
const { chromium } = require('playwright-core')
const axe = require('axe-core')
const [, , executablePath, folder, ...names] = process.argv
const margin = { top: '12mm', bottom: '12mm', left: '12mm', right: '12mm' }

;(async () => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const page = await browser.newPage()
  const told = {}
  for (const name of names) {
    await page.goto(`file://${folder}/${name}.html`)
    await page.addScriptTag({ content: axe.source })
    const found = await page.evaluate(() => window.axe.run())
    told[name] = found.violations.map((one) => ({
      id: one.id, impact: one.impact, where: one.nodes.map((node) => node.html.slice(0, 200)),
    }))
    for (const format of ['A4', 'Letter']) {
      await page.pdf({ path: `${folder}/${name}-${format}.pdf`, format, printBackground: true, margin })
    }
  }
  await browser.close()
  console.log(JSON.stringify(told))
})()
