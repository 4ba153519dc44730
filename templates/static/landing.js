// Gives the part after "#" back to the address that the server made.
(function () {
  var link = document.getElementById("next");
  try {
    // Without a flow the browser has brought it along itself.
    var fragment = location.hash;
    if (link.dataset.flow) {
      var key = "vestibule.fragment." + link.dataset.flow;
      fragment = sessionStorage.getItem(key);
      sessionStorage.removeItem(key);
    }
    if (fragment) {
      link.hash = fragment;
    }
  } catch (blocked) {
    // Without storage nothing was kept.
  }
  location.replace(link.href);
})();
