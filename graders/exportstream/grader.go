package exportstream

// Name is what a scenario calls this workload.
const Name = "export-stream"
