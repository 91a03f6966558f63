// A multiplier of two operands of 18 bits, each signed or not as SIGNEDA and SIGNEDB say. There may
// be a register behind each operand and its sign, inside the multiplier, and behind the product.
// The chains that hand operands from one multiplier to the next have no model.
module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input SIGNEDA, SIGNEDB, CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
    input GSRN,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
    P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTA_CE = "CE0";
    parameter REG_INPUTA_RST = "RST0";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_INPUTB_CE = "CE0";
    parameter REG_INPUTB_RST = "RST0";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_PIPELINE_CE = "CE0";
    parameter REG_PIPELINE_RST = "RST0";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter REG_OUTPUT_CE = "CE0";
    parameter REG_OUTPUT_RST = "RST0";
    parameter RESETMODE = "SYNC";

    wire [3:0] clocks = {CLK3, CLK2, CLK1, CLK0};
    wire [3:0] enables = {CE3, CE2, CE1, CE0};
    wire [3:0] resets = {RST3, RST2, RST1, RST0};

    wire [17:0] a = {
        A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {
        B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    // One more bit holds operands of either kind.
    wire signed [18:0] held_a, held_b;
    wire [35:0] product, piped;
    assign product = held_a * held_b;
    MULT18X18D_register #(
        .WIDTH(19), .CLK(REG_INPUTA_CLK), .CE(REG_INPUTA_CE), .RST(REG_INPUTA_RST),
        .RESETMODE(RESETMODE)
    ) input_a (
        .clocks(clocks), .enables(enables), .resets(resets), .GSRN(GSRN),
        .d({SIGNEDA & a[17], a}),
        .q(held_a));
    MULT18X18D_register #(
        .WIDTH(19), .CLK(REG_INPUTB_CLK), .CE(REG_INPUTB_CE), .RST(REG_INPUTB_RST),
        .RESETMODE(RESETMODE)
    ) input_b (
        .clocks(clocks), .enables(enables), .resets(resets), .GSRN(GSRN),
        .d({SIGNEDB & b[17], b}),
        .q(held_b));
    MULT18X18D_register #(
        .WIDTH(36), .CLK(REG_PIPELINE_CLK), .CE(REG_PIPELINE_CE), .RST(REG_PIPELINE_RST),
        .RESETMODE(RESETMODE)
    ) pipeline (
        .clocks(clocks), .enables(enables), .resets(resets), .GSRN(GSRN),
        .d(product),
        .q(piped));
    MULT18X18D_register #(
        .WIDTH(36), .CLK(REG_OUTPUT_CLK), .CE(REG_OUTPUT_CE), .RST(REG_OUTPUT_RST),
        .RESETMODE(RESETMODE)
    ) result (
        .clocks(clocks), .enables(enables), .resets(resets), .GSRN(GSRN),
        .d(piped),
        .q({
            P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
            P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0}));
endmodule
