"use strict";
function spin(options) {
    let total = 0;
    while (Date.now() < options.until)
        total += Math.sqrt(total + 1);
    return total;
}
setTimeout(() => spin({ until: Date.now() + 400 }), 100);
//# sourceMappingURL=mapped.js.map
