for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.on(signal, () => {});
process.on('beforeExit', () => setTimeout(() => {}, 1e6));
setInterval(() => {}, 1000);
