// A file that the kernel sends becomes a download in the browser of each person who sees the page.
function receiveFiles(model) {
  const receive = (message, buffers) => {
    if (message.do !== 'download') return
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([buffers[0]]))
    link.download = message.name
    document.body.append(link)
    link.click()
    link.remove()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  }
  model.on('msg:custom', receive)
  return () => model.off('msg:custom', receive)
}
