"""The fit of components over a baseline: from one FID to amounts with intervals.

The modules in the order of reading, which is that of the data::

    inputs     what a fit is given, and what it refuses
    basis      FIDs of the components at amplitude one
    model      equation of the signal; its spectra and their derivatives in the window
    priors     every number that is taken for known before the data
    start      the best point of a grid on which amplitudes and phase have closed forms
    problem    data, model and priors of one fit, in units of the noise
    solver     the optimum next to the start, humps of free sign for the baseline
    optimum    the choice among several starts
    humps      equation of the baseline: positive humps of unknown number, position and width
    linear     the model made linear about a point
    chains     draws humps, Gaussian width and delay from the linear problem
    slots      draws one hump, the areas of all integrated out
    limits     what is not negative, or perhaps not there: normal factors that stand for it
    tails      ratios unlike those of other discs: the same
    expansion  the linear problem about better and better points, and what is drawn about each
    posterior  what the draws about the last point say: means, covariance, intervals
    repetition how far the answer follows new noise: the error of a change
    beside     whether the residual holds signals that the fit has not
    spline     another baseline, for comparison with other programs
    fit        `fit_fid`: these steps, then back to the units of the data
    before_echo  whether an FID begins before its echo

PG, LAC, ALA, PA and the other components of the disc model: `mrs_disc.words` says what they are.

One notation for all modules. Data, amplitudes and areas are in units of the noise, so that minus
half a sum of squares is a log-likelihood; a datum is a real or an imaginary part of a bin. Arrays
of columns lie as rows, (column, datum): what textbooks write as X^T X is X X^T here.

    symbol  name in code       meaning
    y       data               the spectrum in the window, real parts, then imaginary parts
    a       amplitude          of the components
    c       area(s)            of the humps
    x       (integrated)       a, and the non-linear parameters that are integrated out
    z       coordinates        what is drawn: squared Gaussian width, delay, c
    X, Z    integrated, drawn  derivatives of the model by x and by z
    P       precision          prior precision of x
    S       covariance         of x given z:  (X X^T + P)^-1
    m_x     centre             mean of x given z = 0
    W       response           x has the mean m_x - W z given z:  W = S X Z^T
    Q       curvature          of the log-likelihood of z, x integrated out:  Z Z^T - Z X^T W
    h       force              slope of that log-likelihood at z = 0
"""
