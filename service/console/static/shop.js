// The amounts of a purchase: the sum of the chosen packs, and what a voucher leaves to pay. The server computes them
// again; amounts are whole fen.
(() => {
  "use strict";

  function yuan(fen) {
    const part = String(fen % 100).padStart(2, "0");
    return `¥${Math.floor(fen / 100).toLocaleString("en-US")}.${part}`;
  }

  function show(form, fen) {
    form.querySelector("[data-cost]").textContent = yuan(fen);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const cart = document.querySelector("form[data-cart]");
    if (cart) {
      const inputs = [...cart.querySelectorAll("[data-price]")];
      const sum = () => show(cart, inputs.reduce((total, each) => {
        const count = Math.min(Math.max(Math.trunc(Number(each.value)) || 0, 0), Number(each.max));
        const fen = count * Number(each.dataset.price);
        each.closest("tr").querySelector("[data-subtotal]").textContent = yuan(fen);
        return total + fen;
      }, 0));
      cart.addEventListener("input", sum);
      sum(); // the browser may have restored other numbers
    }
    const pay = document.querySelector("form[data-pay]");
    if (pay) {
      const own = pay.querySelector("[name=own]");
      const rest = () => show(pay, Number(pay.dataset.pay) - Number(own.selectedOptions[0].dataset.discount));
      own.addEventListener("change", rest);
      rest();
    }
  });
})();
